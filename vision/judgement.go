package vision

// Finding is one reason for a verdict.
type Finding struct {
	Class string  `json:"class"`
	Score float64 `json:"score"` // probability of the class, [0, 1]; of Unseen novelty ÷ (1 + novelty)
	Box   [4]int  `json:"box"`   // x, y, w, h in pixels of the upright picture
}

// HeatMap says for each class where a picture speaks for it. Values run from 0
// (does not) to 1 (the strongest place of any class in this picture); row-major,
// class after class: Data[(c*H+y)*W+x]. It covers the judged region.
type HeatMap struct {
	Classes []string `json:"classes"`
	W       int      `json:"w"`
	H       int      `json:"h"`
	Data    []uint8  `json:"data"` // 0–255 for 0–1
}

// Timings are the milliseconds that a worker spent on one frame, by stage.
type Timings struct {
	Read    float64 `json:"read"`              // fetching the blob
	Decode  float64 `json:"decode"`            // bytes to an upright picture
	Prepare float64 `json:"prepare"`           // picture to network input
	Forward float64 `json:"forward"`           // the network
	Measure float64 `json:"measure,omitempty"` // the quality of the picture
	Explain float64 `json:"explain"`           // findings, heat map, thumbnail
	Queue   float64 `json:"queue"`             // accepted until a worker took it
	Total   float64 `json:"total"`             // accepted until judged
}

// Judgement is what a model says about one frame.
type Judgement struct {
	Verdict       Verdict       `json:"verdict"`
	Class         string        `json:"class"` // the most probable class
	Score         float64       `json:"score"` // its probability
	Probabilities []Probability `json:"probabilities"`
	Novelty       float64       `json:"novelty"`          // how unlike all training frames it is, 1 where known ends; 0 of a version that does not know
	Reason        string        `json:"reason,omitempty"` // Unseen where that made the verdict, else ""
	Findings      []Finding     `json:"findings"`         // strongest first; empty for OK
	Heat          HeatMap       `json:"heat"`
	Pooled        []float32     `json:"-"`     // the pooled features, for finding similar frames
	Width         int           `json:"width"` // of the upright picture, pixels
	Height        int           `json:"height"`
	Timings       Timings       `json:"timings"`
	Quality       *Quality      `json:"quality,omitempty"` // nil from a worker that does not measure it
}
