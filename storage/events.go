package storage

// EventKind names what changed.
type EventKind string

const (
	FrameAdded     EventKind = "frame"      // a frame is on disk, waiting to be judged
	FrameTroubled  EventKind = "quarantine" // a frame was quarantined, discarded or released
	FrameDropped   EventKind = "dropped"    // a frame was given up because newer ones went first
	InspectionMade EventKind = "inspection" // a verdict is on disk
	FrameCorrected EventKind = "correction" // a frame has a new correction
	JobChanged     EventKind = "job"        // a job moved on
	VersionChanged EventKind = "version"    // a version was made, promoted or retired
	FrameDoubted   EventKind = "guard"      // something is held against a frame of a recipe, or a person decided about it
	DriftChanged   EventKind = "drift"      // an alarm of a station that drifts was raised, seen or closed
	RecipeChanged  EventKind = "recipe"     // a recipe or one of its classes changed
	StationChanged EventKind = "station"    // a station was made, changed or revoked
)

// Event tells after a commit what changed. Fields that do not apply are zero.
type Event struct {
	Kind       EventKind
	ID         int64 // of the thing that changed
	RecipeID   int64
	StationID  int64
	Frame      *Frame      // with FrameAdded and InspectionMade
	Inspection *Inspection // with InspectionMade
	Correction *Correction // with FrameCorrected
	Job        *Job        // with JobChanged
	Drift      *DriftAlarm // with DriftChanged
}

// Listen calls f after each commit that changed something, in the goroutine
// that made the change: f must be quick and must not change the database.
func (db *DB) Listen(f func(Event)) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.listeners = append(db.listeners, f)
}

func (db *DB) emit(e Event) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	for _, f := range db.listeners {
		f(e)
	}
}
