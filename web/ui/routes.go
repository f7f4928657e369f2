package ui

import (
	"fmt"
	"net/url"
	"strconv"
)

// The addresses that pages, forms and scripts use. Every POST carries the CSRF
// token as the form field "csrf" or the header X-CSRF-Token. A POST that htmx
// sends (header HX-Request: true) is answered with the fragment named here,
// one from a plain form with 303 See Other to the page it came from, or with
// the page again, status 422 and its Problem filled in, when the form is wrong.
// A request that htmx sends and that fails is answered with the ToastFragment
// of a problem and its status: the scripts show it.
const (
	// PathLine is the Line page; ?line=NAME shows the stations of one line.
	PathLine = "/"
	// PathFirst is the first-run page; "/" redirects here while there is no recipe.
	PathFirst = "/first"
	// PathSignIn shows the sign-in form. POST: name, password, next (a local
	// path); 303 to next, or SignInPage again with 401 (429 when too many).
	PathSignIn = "/signin"
	// PathSignOut POST: ends the session; 303 to PathSignIn.
	PathSignOut = "/signout"
	// PathPreferences POST: lang ("en", "zh") and theme ("auto", "light",
	// "dark"), each optional, and back (a local path). Sets the cookies
	// CookieLanguage and CookieTheme for a year; 303 to back.
	PathPreferences = "/preferences"
	// PathDemoStart POST: starts the demonstration line; 303 to PathLine.
	PathDemoStart = "/demonstration/start"
	// PathDemoRemove POST: removes it and all it made; 303 to PathLine.
	PathDemoRemove = "/demonstration/remove"

	// PathLabel is the labelling grid. Query: LabelFilter.
	PathLabel = "/label"
	// PathLabelIDs GET: with the query of the grid, {"ids":[frame,…]}, all
	// frames of the filter in the grid's order (disagreed, Unsure, unlabelled
	// and labelled ones, each newest first). The page keeps this order while
	// labels change.
	PathLabelIDs = "/label/ids"
	// PathLabelCells GET: ids=1,2,3 (at most 300): {"cells":[GridCell,…]} in
	// any order; frames that are gone are left out.
	PathLabelCells = "/label/cells"
	// PathLabelMany POST: frames=1,2,3 and class ("" takes the label back), and
	// recipe. All or none. Answers LabelAnswer as JSON.
	PathLabelMany = "/label"
	// PathUndo POST: corrections=1,2,3 (their IDs). Each frame whose label is
	// still that correction gets a new one (source "undo") that restores what
	// was in force before. Answers LabelAnswer as JSON, or for htmx the
	// ToastFragment.
	PathUndo = "/corrections/undo"

	// PathGroups shows the frames without a label in groups. Query: recipe.
	PathGroups = "/label/groups"
	// PathSuspects shows labels that are probably wrong. Query: recipe.
	PathSuspects = "/label/suspects"

	// PathModel redirects to the model page of the first recipe.
	PathModel = "/model"

	// PathSetUp redirects to PathRecipes.
	PathSetUp = "/setup"
	// PathRecipes lists recipes. POST: name, good (one class that passes),
	// defects (classes that fail, one a line); 303 to RecipeURL.
	PathRecipes = "/setup/recipes"
	// PathStations lists stations. POST: name, line, recipe (ID); answers the
	// page with StationsView.Token set, 201. The token is not shown again.
	PathStations = "/setup/stations"
	// PathPeople lists people. POST: name, role, password (given by the admin,
	// to be changed at the first sign-in); 303.
	PathPeople = "/setup/people"
	// PathHealth shows how the server does; live by the event "health".
	PathHealth = "/health"
	// PathJobs lists jobs; live by the event "jobs".
	PathJobs = "/setup/jobs"
	// PathQuarantine lists frames that could not be judged.
	PathQuarantine = "/setup/quarantine"
	// PathAudit is the audit log. Query: before (an entry's ID), subject.
	PathAudit = "/setup/audit"
	// PathAccount is one's own account. POST /account/password: PathPassword.
	PathAccount = "/account"
	// PathPassword POST: old, new, again; 303 to PathAccount?saved=password, or
	// AccountPage again with 422.
	PathPassword = "/account/password"

	// PathEvents is the stream of fragments. Query: view ("line", "label",
	// "model", "health", "jobs" or "other"), line, recipe. See EventsURL.
	PathEvents = "/events/page"
)

// The cookies of PathPreferences. They hold no secret.
const (
	CookieLanguage = "loupe_lang"
	CookieTheme    = "loupe_theme"
)

// ContentSecurityPolicy is the header that the pages are written for: no
// inline script, no inline style, nothing from elsewhere.
const ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func id(n int64) string { return strconv.FormatInt(n, 10) }

// EventsURL is the stream of a page. Once connected, the stream sends every
// event of the view with its present state, then "tick"; afterwards what
// changes, and a "tick" (any text) at least every five seconds. The page trusts
// what it shows only after the first tick, and for at most twelve seconds
// after the last event.
//
//	all views  banner            BannersFragment
//	line       stations          LineView.Places: the page is read again when it is another
//	           station-ID        StationFragment
//	           strip-ID          StripFragment with the items that are new or changed
//	           coming-ID         the address of the picture (FrameImageURL, 960) as soon as a frame is accepted, before it is judged
//	           tray              TrayFragment
//	           learning          LearningFragment
//	label      progress          ProgressFragment
//	           cells             {"cells":[GridCell,…]} that changed
//	           work-group, work-suspect  WorkFragment of the newest such job
//	model      training          TrainingFragment
//	           version           any text: the page reads its versions again
//	           shadow-ID         ShadowFragment of a version, with each tick
//	health     health            HealthFragment, with each tick
//	jobs       job-ID            JobFragment
//	           jobs              JobsFragment, when there is a new job
func EventsURL(view string, recipe int64, line string) string {
	q := url.Values{"view": {view}}
	if recipe != 0 {
		q.Set("recipe", id(recipe))
	}
	if line != "" {
		q.Set("line", line)
	}
	return PathEvents + "?" + q.Encode()
}

// LineURL is the Line page of one line.
func LineURL(line string) string {
	if line == "" {
		return PathLine
	}
	return PathLine + "?" + url.Values{"line": {line}}.Encode()
}

// FrameImageURL GET: the upright picture as JPEG, its longer side at most side
// pixels (0 for its own size). Cached for ever: a frame never changes.
func FrameImageURL(frame int64, side int) string {
	if side == 0 {
		return fmt.Sprintf("/frames/%d/image", frame)
	}
	return fmt.Sprintf("/frames/%d/image?side=%d", frame, side)
}

// FrameThumbURL GET: a JPEG of at most 192 pixels a side. Cached for ever.
func FrameThumbURL(frame int64) string { return fmt.Sprintf("/frames/%d/thumb", frame) }

// FrameOriginalURL GET: the bytes as the station sent them, as a download.
func FrameOriginalURL(frame int64) string { return fmt.Sprintf("/frames/%d/original", frame) }

// CorrectURL POST: class ("" takes the label back), note, and seen, the ID of
// the correction in force that the person saw (0 for none). Answers
// ToastFragment; the changed fragments come by the stream. From a plain form:
// 303 back.
func CorrectURL(frame int64) string { return fmt.Sprintf("/frames/%d/corrections", frame) }

// InspectionURL is the page of one inspection; query keeps the filter in which
// next and previous move ("" for all of the station).
func InspectionURL(inspection int64, query string) string {
	u := fmt.Sprintf("/inspections/%d", inspection)
	if query != "" {
		u += "?" + query
	}
	return u
}

// FrameURL GET: redirects to the frame's inspection, or shows InspectionPage
// without a verdict for a frame that was never judged. Keeps the query.
func FrameURL(frame int64, query string) string {
	u := fmt.Sprintf("/frames/%d", frame)
	if query != "" {
		u += "?" + query
	}
	return u
}

// HeatURL GET: the heat map of one class as a PNG, transparent where it is
// cold, covering the whole upright picture.
func HeatURL(inspection int64, class string) string {
	return fmt.Sprintf("/inspections/%d/heat?%s", inspection, url.Values{"class": {class}}.Encode())
}

// ModelURL is the model page of a recipe; version 0 shows the newest one that
// waits for a decision, else the champion.
func ModelURL(recipe, version int64) string {
	u := fmt.Sprintf("/recipes/%d/model", recipe)
	if version != 0 {
		u += "?version=" + id(version)
	}
	return u
}

// TrainURL POST: starts a training; answers TrainingFragment.
func TrainURL(recipe int64) string { return fmt.Sprintf("/recipes/%d/train", recipe) }

// UploadURL POST: model (an ONNX file) and note, as a multipart form with the
// token in X-CSRF-Token; HX-Redirect to ModelURL, or RefusedFragment into the
// element UploadAnswerID.
func UploadURL(recipe int64) string { return fmt.Sprintf("/recipes/%d/versions", recipe) }

// UploadAnswerID is the element in which a refused upload is explained.
const UploadAnswerID = "upload-answer"

// GroupsURL is the page of the groups of a recipe.
func GroupsURL(recipe int64) string { return PathGroups + "?recipe=" + id(recipe) }

// GroupsStartURL POST: starts grouping; answers WorkFragment.
func GroupsStartURL(recipe int64) string { return fmt.Sprintf("/recipes/%d/groups", recipe) }

// SuspectsURL is the page of the suspected labels of a recipe.
func SuspectsURL(recipe int64) string { return PathSuspects + "?recipe=" + id(recipe) }

// SuspectsStartURL POST: starts the search; answers WorkFragment.
func SuspectsStartURL(recipe int64) string { return fmt.Sprintf("/recipes/%d/suspects", recipe) }

// ConfirmURL POST: label (the ID of the correction in force); keeps the label of
// a frame. Answers LabelAnswer as JSON.
func ConfirmURL(frame int64) string { return fmt.Sprintf("/frames/%d/confirm", frame) }

// AlikeURL is the labelling grid of the frames that look like one.
func AlikeURL(recipe, frame int64) string {
	return PathLabel + "?" + LabelFilter{Recipe: recipe, Like: frame}.Query()
}

// RollbackURL POST: makes the champion before this one champion again; 303 to ModelURL.
func RollbackURL(recipe int64) string { return fmt.Sprintf("/recipes/%d/rollback", recipe) }

// PromoteURL POST: reason (optional words); 303 to ModelURL.
func PromoteURL(version int64) string { return fmt.Sprintf("/versions/%d/promote", version) }

// DownloadURL GET: the version's ONNX file as a download.
func DownloadURL(version int64) string { return fmt.Sprintf("/api/v1/versions/%d/model.onnx", version) }

// ReportURL GET: the version's evaluation as JSON.
func ReportURL(version int64) string { return fmt.Sprintf("/api/v1/versions/%d/report", version) }

// ReportPageURL GET: the version's report as one HTML file, in the reader's language.
func ReportPageURL(version int64) string {
	return fmt.Sprintf("/api/v1/versions/%d/report.html", version)
}

// DifferURL opens, in the labelling grid, the test frames that only one was
// right about: who is "champion" or "challenger".
func DifferURL(recipe, version int64, who string) string {
	return PathLabel + "?" + url.Values{"recipe": {id(recipe)}, "version": {id(version)}, "differ": {who}}.Encode()
}

// ShadowURL is the page of the frames on which a version in shadow and the
// champion differ. Query: settled ("1" for those that people settled), after (the
// last of the page before). POST starts its shadow, or with stop=1 ends it; 303
// to ModelURL.
func ShadowURL(version int64) string { return fmt.Sprintf("/versions/%d/shadow", version) }

// ShadowRuleURL POST: frames, days, settled, auto ("1" or absent). 303 to the
// page that the field back names.
func ShadowRuleURL(recipe int64) string { return RecipeURL(recipe) + "/shadow" }

// DatasetURL is the page of a data set, compared with another; from 0 takes the
// one before it.
func DatasetURL(dataset, from int64) string {
	u := fmt.Sprintf("/datasets/%d", dataset)
	if from != 0 {
		u += "?from=" + id(from)
	}
	return u
}

// DatasetExportURL GET: format ("coco", "voc", "yolo", "folders" or "csv"); a zip
// file of the data set as it was.
func DatasetExportURL(dataset int64) string {
	return fmt.Sprintf("/api/v1/datasets/%d/export", dataset)
}

// RecipeExportURL GET: format; a zip file of the labels in force.
func RecipeExportURL(recipe int64) string { return fmt.Sprintf("/api/v1/recipes/%d/export", recipe) }

// CellPicturesURL opens the pictures of one cell of a version's confusion
// matrix in the labelling grid: frames of the test share that are truth and
// that the version called predicted.
func CellPicturesURL(recipe, version int64, truth, predicted string) string {
	return PathLabel + "?" + url.Values{"recipe": {id(recipe)}, "version": {id(version)}, "truth": {truth}, "predicted": {predicted}}.Encode()
}

// CancelJobURL POST: cancels; answers JobFragment.
func CancelJobURL(job int64) string { return fmt.Sprintf("/jobs/%d/cancel", job) }

// RecipeURL is a recipe's set-up page.
func RecipeURL(recipe int64) string { return fmt.Sprintf("/setup/recipes/%d", recipe) }

// RecipeClassesURL POST: for each row in order class_was (the name so far, ""
// for a new row), class_name, class_pass ("pass" or "fail"), class_color
// (#rrggbb) and class_key (one character or ""). A row whose names differ
// renames: its frames get a correction to the new name. Empty new rows are
// left out. 303 to RecipeURL.
func RecipeClassesURL(recipe int64) string { return RecipeURL(recipe) + "/classes" }

// RecipeArchiveURL POST: class, and what happens to the frames that carry it:
// fate "keep" (they stay labelled, out of training) or "move" with move_to, the
// name of another class. 303 to RecipeURL.
func RecipeArchiveURL(recipe int64) string { return RecipeURL(recipe) + "/classes/archive" }

// RecipeThresholdsURL POST: ok and ng, each above 0.5 to 1. 303 to RecipeURL.
func RecipeThresholdsURL(recipe int64) string { return RecipeURL(recipe) + "/thresholds" }

// RecipeNormalityURL POST: good_only ("1" or nothing), false_alarm_percent.
func RecipeNormalityURL(recipe int64) string { return RecipeURL(recipe) + "/normality" }

// RecipeCostsURL POST: escape and false_reject (costs in one unit),
// unsure_percent (of the parts that people can look at) and bad_percent (of the
// parts in production, 0 for as in the test frames). 303 to RecipeURL.
func RecipeCostsURL(recipe int64) string { return RecipeURL(recipe) + "/costs" }

// RecipeViewURL POST: x, y, w, h as shares of the upright picture (0,0,1,1 for
// the whole) and size, the network's input side. 303 to RecipeURL.
func RecipeViewURL(recipe int64) string { return RecipeURL(recipe) + "/view" }

// RecipeRulesURL POST: after (0 switches the rule off), quiet_seconds; auto
// ("1" or absent), metric ("balanced_accuracy", "accuracy" or "escapes"),
// margin_percent. 303 to the page that the field back names.
func RecipeRulesURL(recipe int64) string { return RecipeURL(recipe) + "/rules" }

// RecipeQueueURL POST: limit (frames of a station that may wait) and over
// ("refuse" or "newest"). 303 to RecipeURL.
func RecipeQueueURL(recipe int64) string { return RecipeURL(recipe) + "/queue" }

// RecipeKeepingURL POST: days, gigabytes, protect_days (0 sets no limit) and
// labelled_may_go ("1" or absent). 303 to RecipeURL. GET with the same fields
// gives a KeepingPlan.
func RecipeKeepingURL(recipe int64) string { return RecipeURL(recipe) + "/keeping" }

// StationURL POST: line and recipe change a station; 303 to PathStations.
func StationURL(station int64) string { return fmt.Sprintf("/setup/stations/%d", station) }

// StationTokenURL POST: a new token; the old one stops working at once. Answers
// the page with StationsView.Token set.
func StationTokenURL(station int64) string { return StationURL(station) + "/token" }

// StationRevokeURL POST: the station may post no more; 303 to PathStations.
func StationRevokeURL(station int64) string { return StationURL(station) + "/revoke" }

// PersonURL POST: role and active ("1" or "0"), each optional, and password (a
// new one, to be changed at the next sign-in), optional; 303 to PathPeople.
func PersonURL(person int64) string { return fmt.Sprintf("/setup/people/%d", person) }

// QuarantineRetryURL POST: puts the frame back into the queue; 303 to PathQuarantine.
func QuarantineRetryURL(frame int64) string { return fmt.Sprintf("/setup/quarantine/%d/retry", frame) }

// QuarantineDiscardURL POST: gives the frame up; 303 to PathQuarantine.
func QuarantineDiscardURL(frame int64) string {
	return fmt.Sprintf("/setup/quarantine/%d/discard", frame)
}

// AuditURL is a page of the audit log.
func AuditURL(before int64, subject string) string {
	q := url.Values{}
	if before != 0 {
		q.Set("before", id(before))
	}
	if subject != "" {
		q.Set("subject", subject)
	}
	if len(q) == 0 {
		return PathAudit
	}
	return PathAudit + "?" + q.Encode()
}
