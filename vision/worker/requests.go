package worker

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"gocloud.dev/gcerrors"

	"loupe/vision"
	"loupe/vision/opencv"
	"loupe/vision/wire"
)

const (
	thumbSide    = 320 // pixels
	thumbQuality = 80  // JPEG
	readTime     = 10 * time.Second
)

// onJudge reads and decodes a frame on the subscription's goroutine, while the
// network may be busy with the frame before, and queues the rest.
func (w *Worker) onJudge(m *nats.Msg) {
	var q wire.JudgeRequest
	result := wire.JudgeResult{Worker: w.Name}
	if result.Trouble = parse(m, &q); result.Trouble != nil {
		w.answer(m, result)
		return
	}
	picture, timings, trouble := w.open(q.BlobKey, q.Preparation.Orientation)
	if trouble != nil {
		result.Trouble = trouble
		w.answer(m, result)
		return
	}
	lane := w.work
	if q.Spare {
		lane = w.side
	}
	lane <- task{do: func() {
		defer picture.Close()
		w.judge(q, picture, &result)
		result.Judgement.Timings.Read, result.Judgement.Timings.Decode = timings.Read, timings.Decode
		w.frames.Add(1)
		w.answer(m, result)
	}}
}

func (w *Worker) judge(q wire.JudgeRequest, picture *opencv.Picture, result *wire.JudgeResult) {
	defer guard(&result.Trouble)
	e, trouble := w.engineFor(q.Model, q.Preparation)
	if trouble != nil {
		result.Trouble = trouble
		return
	}
	j, err := e.Judge(picture, q.Preparation, q.Classes, q.Thresholds)
	if err != nil {
		result.Trouble = &wire.Trouble{Fault: wire.FaultModel, Detail: err.Error()}
		return
	}
	if q.Spare {
		result.Judgement = j
		return
	}
	began := time.Now()
	quality := picture.Quality(q.Preparation.Region)
	j.Quality, j.Timings.Measure = &quality, float64(time.Since(began).Microseconds())/1000
	began = time.Now()
	if result.Thumb, _, _, err = picture.JPEG(thumbSide, thumbQuality); err != nil {
		result.Trouble = &wire.Trouble{Fault: wire.FaultPicture, Detail: err.Error()}
		return
	}
	j.Timings.Explain += float64(time.Since(began).Microseconds()) / 1000
	result.Judgement, result.Pooled = j, j.Pooled
}

func (w *Worker) onExtract(m *nats.Msg) {
	var q wire.ExtractRequest
	var result wire.ExtractResult
	if result.Trouble = parse(m, &q); result.Trouble != nil {
		w.answer(m, result)
		return
	}
	picture, _, trouble := w.open(q.BlobKey, q.Preparation.Orientation)
	if result.Trouble = trouble; trouble != nil {
		w.answer(m, result)
		return
	}
	w.side <- task{do: func() {
		defer picture.Close()
		w.extract(q, picture, &result)
		w.answer(m, result)
	}}
}

func (w *Worker) extract(q wire.ExtractRequest, picture *opencv.Picture, result *wire.ExtractResult) {
	defer guard(&result.Trouble)
	e, trouble := w.engineFor(q.Model, q.Preparation)
	if trouble != nil {
		result.Trouble = trouble
		return
	}
	f, err := e.Extract(picture, q.Preparation)
	if err != nil {
		result.Trouble = &wire.Trouble{Fault: wire.FaultModel, Detail: err.Error()}
		return
	}
	result.Stride8, result.Stride16, result.Stride32, result.Pooled = f.Stride8, f.Stride16, f.Stride32, f.Pooled
}

// onRender needs no network, so it runs beside it.
func (w *Worker) onRender(m *nats.Msg) {
	var q wire.RenderRequest
	var result wire.RenderResult
	defer func() { w.answer(m, result) }()
	defer guard(&result.Trouble)
	if result.Trouble = parse(m, &q); result.Trouble != nil {
		return
	}
	picture, _, trouble := w.open(q.BlobKey, q.Orientation)
	if result.Trouble = trouble; trouble != nil {
		return
	}
	defer picture.Close()
	var err error
	if result.JPEG, result.Width, result.Height, err = picture.JPEG(q.MaxSide, q.Quality); err != nil {
		result.Trouble = &wire.Trouble{Fault: wire.FaultPicture, Detail: err.Error()}
	}
	if q.Measure && q.Region.Valid() {
		quality := picture.Quality(q.Region)
		result.Quality = &quality
	}
}

// onLoad has a model ready and warm before its first frame.
func (w *Worker) onLoad(m *nats.Msg) {
	var q wire.LoadRequest
	var result wire.LoadResult
	if result.Trouble = parse(m, &q); result.Trouble != nil {
		w.answer(m, result)
		return
	}
	w.side <- task{do: func() {
		defer func() { w.answer(m, result) }()
		defer guard(&result.Trouble)
		e, trouble := w.engine(q.Model)
		if result.Trouble = trouble; trouble != nil {
			return
		}
		if err := e.Warm(q.Model.Size); err != nil {
			result.Trouble = &wire.Trouble{Fault: wire.FaultModel, Detail: err.Error()}
		}
	}}
}

func parse(m *nats.Msg, into any) *wire.Trouble {
	if err := wire.Unmarshal(m.Data, into); err != nil {
		return &wire.Trouble{Fault: wire.FaultWorker, Detail: "the request is not understood: " + err.Error()}
	}
	return nil
}

// open fetches and decodes a picture.
func (w *Worker) open(key string, orientation int) (p *opencv.Picture, t vision.Timings, trouble *wire.Trouble) {
	defer guard(&trouble)
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	began := time.Now()
	data, err := w.blobs.ReadAll(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, t, &wire.Trouble{Fault: wire.FaultPicture, Detail: "the picture's blob is missing: " + key}
	}
	if err != nil {
		return nil, t, &wire.Trouble{Fault: wire.FaultBlob, Detail: err.Error()}
	}
	read := time.Now()
	p, err = opencv.Decode(data, orientation)
	if errors.Is(err, opencv.ErrPicture) {
		return nil, t, &wire.Trouble{Fault: wire.FaultPicture, Detail: err.Error()}
	}
	if err != nil {
		return nil, t, &wire.Trouble{Fault: wire.FaultWorker, Detail: err.Error()}
	}
	t.Read = float64(read.Sub(began).Microseconds()) / 1000
	t.Decode = float64(time.Since(read).Microseconds()) / 1000
	return p, t, nil
}
