package ui

import (
	"context"
	"strings"
)

func jobKind(ctx context.Context, kind string) string {
	switch kind {
	case "train":
		return T(ctx, "job.train")
	case "import":
		return T(ctx, "job.import")
	case "group":
		return T(ctx, "job.group")
	case "suspect":
		return T(ctx, "job.suspect")
	case "evaluate":
		return T(ctx, "job.evaluate")
	}
	return kind
}

func jobState(ctx context.Context, state string) string {
	switch state {
	case "queued":
		return T(ctx, "jobstate.queued")
	case "running":
		return T(ctx, "jobstate.running")
	case "done":
		return T(ctx, "jobstate.done")
	case "failed":
		return T(ctx, "jobstate.failed")
	}
	return T(ctx, "jobstate.cancelled")
}

// auditAction says an action in words; one without words of its own is shown
// as it is stored.
func auditAction(ctx context.Context, action string) string {
	switch action {
	case "recipe.add":
		return T(ctx, "audit.recipe.add")
	case "recipe.change":
		return T(ctx, "audit.recipe.change")
	case "recipe.classes":
		return T(ctx, "audit.recipe.classes")
	case "recipe.class.archive":
		return T(ctx, "audit.recipe.archive")
	case "recipe.thresholds":
		return T(ctx, "audit.recipe.thresholds")
	case "recipe.shadow":
		return T(ctx, "audit.recipe.shadow")
	case "shadow.start":
		return T(ctx, "audit.shadow.start")
	case "shadow.end":
		return T(ctx, "audit.shadow.end")
	case "shadow.close":
		return T(ctx, "audit.shadow.close")
	case "version.upload":
		return T(ctx, "audit.version.upload")
	case "version.add":
		return T(ctx, "audit.version.add")
	case "version.promote":
		return T(ctx, "audit.version.promote")
	case "version.rollback":
		return T(ctx, "audit.version.rollback")
	case "guard.used":
		return T(ctx, "audit.guard.used")
	case "guard.out":
		return T(ctx, "audit.guard.out")
	case "drift.seen":
		return T(ctx, "audit.drift.seen")
	case "person.add":
		return T(ctx, "audit.person.add")
	case "person.change":
		return T(ctx, "audit.person.change")
	case "person.password":
		return T(ctx, "audit.person.password")
	case "station.add":
		return T(ctx, "audit.station.add")
	case "station.change":
		return T(ctx, "audit.station.change")
	case "station.token":
		return T(ctx, "audit.station.token")
	case "station.revoke":
		return T(ctx, "audit.station.revoke")
	}
	if strings.HasPrefix(action, "label.") {
		return T(ctx, "audit.label")
	}
	return action
}
