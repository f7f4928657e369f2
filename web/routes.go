package web

import (
	"github.com/labstack/echo/v4"

	"loupe/models"
	"loupe/storage"
	"loupe/web/ui"
)

// routes names every address. The pages' are those of web/ui/routes.go.
func (w *Server) routes() {
	w.apiRoutes(w.echo.Group("/api/v1"))
	e := w.echo
	e.GET("/api/openapi.json", w.openAPI)
	e.GET("/healthz", w.healthz)
	e.GET("/readyz", w.readyz)
	e.GET("/metrics", w.metrics.handler())

	e.GET(ui.PathSignIn, w.signInPage)
	e.POST(ui.PathSignIn, w.signInPost)
	e.POST(ui.PathPreferences, w.preferences)
	e.POST(ui.PathSignOut, w.signOut)

	operator := guard(e.Group(""), w.toSignIn, least(storage.Operator))
	operator.GET(ui.PathLine, w.linePage)
	operator.GET(ui.PathFirst, w.firstPage)
	operator.GET(ui.PathEvents, w.pageEvents)
	operator.GET("/frames/:id/image", w.frameImage)
	operator.GET("/frames/:id/thumb", w.frameThumb)
	operator.GET("/frames/:id/original", w.frameOriginal)
	operator.GET("/frames/:id", w.framePage)
	operator.POST("/frames/:id/corrections", w.correctForm)
	operator.PUT("/frames/:id/marks", w.putMarks)
	operator.GET("/inspections/:id", w.inspectionPage)
	operator.GET("/inspections/:id/heat", w.heat)
	operator.GET(ui.PathLabel, w.labelPage)
	operator.GET(ui.PathLabelIDs, w.labelIDs)
	operator.GET(ui.PathLabelCells, w.labelCells)
	operator.POST(ui.PathLabelMany, w.labelMany)
	operator.POST(ui.PathUndo, w.undo)
	operator.GET(ui.PathGroups, w.groupsPage)
	operator.GET(ui.PathSuspects, w.suspectsPage)
	operator.POST("/frames/:id/confirm", w.confirmForm)
	operator.POST("/recipes/:id/groups", w.startForm(models.GroupJob))
	operator.GET(ui.PathModel, w.firstModel)
	operator.GET("/recipes/:id/model", w.modelPage)
	operator.GET("/versions/:id/shadow", w.shadowPage)
	operator.GET("/datasets/:id", w.datasetPage)
	operator.GET(ui.PathAccount, w.accountPage)
	operator.POST(ui.PathPassword, w.changePassword)
	operator.GET(ui.PathSetUp, w.setUp)
	operator.GET(ui.PathHealth, w.healthPage)
	operator.GET(ui.PathJobs, w.jobsPage)
	operator.GET(ui.PathQuarantine, w.quarantinePage)
	operator.GET(ui.PathGuard, w.guardPage)
	operator.GET(ui.PathDrift, w.driftPage)
	operator.POST("/setup/drift/:id/seen", w.driftSeenForm)

	qa := guard(e.Group(""), w.toSignIn, least(storage.QA))
	qa.POST("/recipes/:id/train", w.trainForm)
	qa.POST("/recipes/:id/suspects", w.startForm(models.SuspectJob))
	qa.POST(uploadPage, w.uploadForm)
	qa.POST("/recipes/:id/rollback", w.rollbackForm)
	qa.POST("/versions/:id/promote", w.promoteForm)
	qa.POST("/versions/:id/shadow", w.shadowForm)
	qa.POST("/setup/recipes/:id/shadow", w.setShadowRule)
	qa.POST("/jobs/:id/cancel", w.cancelJobForm)
	qa.POST("/setup/quarantine/:id/retry", w.retryFrame)
	qa.POST(ui.PathGuard, w.guardForm)
	qa.POST("/setup/quarantine/:id/discard", w.discardFrame)
	qa.GET(ui.PathAudit, w.auditPage)
	qa.GET(ui.PathRecipes, w.recipesPage)
	qa.GET("/setup/recipes/:id", w.recipePage)
	qa.GET(ui.PathStations, w.stationsPage)

	w.adminRoutes(guard(e.Group(""), w.toSignIn, least(storage.Admin)))
}

func (w *Server) adminRoutes(admin guarded) {
	admin.POST(ui.PathDemoStart, w.startDemo)
	admin.POST(ui.PathDemoRemove, w.removeDemo)
	admin.POST(ui.PathRecipes, w.addRecipe)
	admin.POST("/setup/recipes/:id/classes", w.setClasses)
	admin.POST("/setup/recipes/:id/classes/archive", w.archiveClass)
	admin.POST("/setup/recipes/:id/thresholds", w.setThresholds)
	admin.POST("/setup/recipes/:id/costs", w.setCosts)
	admin.POST("/setup/recipes/:id/normality", w.setNormality)
	admin.POST("/setup/recipes/:id/view", w.setView)
	admin.POST("/setup/recipes/:id/rules", w.setRules)
	admin.POST("/setup/recipes/:id/queue", w.setQueue)
	admin.POST("/setup/recipes/:id/guard", w.setGuard)
	admin.POST("/setup/recipes/:id/keeping", w.setKeeping)
	admin.GET("/setup/recipes/:id/keeping", w.planKeeping)
	admin.POST(ui.PathStations, w.addStationForm)
	admin.POST("/setup/stations/:id", w.changeStationForm)
	admin.POST("/setup/stations/:id/token", w.rotateTokenForm)
	admin.POST("/setup/stations/:id/revoke", w.revokeStationForm)
	admin.GET(ui.PathPeople, w.peoplePage)
	admin.POST(ui.PathPeople, w.addPersonForm)
	admin.POST("/setup/people/:id", w.changePersonForm)
}

// guarded registers routes with the same middleware before each. (A group of
// Echo with middleware would answer for unknown addresses as well.)
type guarded struct {
	group *echo.Group
	by    []echo.MiddlewareFunc
}

func guard(g *echo.Group, by ...echo.MiddlewareFunc) guarded { return guarded{g, by} }

func (g guarded) GET(path string, h echo.HandlerFunc)    { g.group.GET(path, h, g.by...) }
func (g guarded) POST(path string, h echo.HandlerFunc)   { g.group.POST(path, h, g.by...) }
func (g guarded) PUT(path string, h echo.HandlerFunc)    { g.group.PUT(path, h, g.by...) }
func (g guarded) PATCH(path string, h echo.HandlerFunc)  { g.group.PATCH(path, h, g.by...) }
func (g guarded) DELETE(path string, h echo.HandlerFunc) { g.group.DELETE(path, h, g.by...) }

// apiRoutes are those of the OpenAPI document.
func (w *Server) apiRoutes(api *echo.Group) {
	api.POST("/frames", w.postFrame)
	api.GET("/station", w.whoAmI)
	api.GET("/inspections/:id", w.getInspection, w.personOrStation)
	api.GET("/inspections", w.listInspections, w.personOrStation)
	api.GET("/frames/:id", w.getFrame, w.personOrStation)

	operator := guard(api, least(storage.Operator))
	operator.GET("/inspections/:id/heat", w.heat)
	operator.GET("/frames/:id/image", w.frameImage)
	operator.GET("/frames/:id/thumb", w.frameThumb)
	operator.POST("/frames/:id/corrections", w.postCorrection)
	operator.POST("/frames/:id/confirm", w.confirm)
	operator.GET("/frames/:id/alike", w.getAlike)
	operator.POST("/recipes/:id/corrections", w.postCorrections)
	operator.POST("/corrections/undo", w.postUndo)
	operator.GET("/recipes/:id/next", w.getNext)
	operator.GET("/recipes/:id/groups", w.getGroups)
	operator.POST("/recipes/:id/groups", w.startJob(models.GroupJob))
	operator.GET("/recipes/:id/suspects", w.getSuspects)
	operator.GET("/frames/:id/marks", w.getMarks)
	operator.PUT("/frames/:id/marks", w.putMarks)
	operator.GET("/stations", w.listStations)
	operator.GET("/recipes", w.listRecipes)
	operator.GET("/recipes/:id", w.getRecipe)
	operator.GET("/jobs/:id", w.getJob)
	operator.GET("/versions/:id", w.getVersion)
	operator.GET("/versions/:id/model.onnx", w.modelFile)
	operator.GET("/versions/:id/report", w.versionReport)
	operator.GET("/versions/:id/report.html", w.versionReportPage)
	operator.GET("/versions/:id/shadow", w.getShadow)
	operator.GET("/versions/:id/disagreements", w.listDisagreements)
	operator.GET("/recipes/:id/datasets", w.listDatasets)
	operator.GET("/datasets/:id", w.getDataset)
	operator.GET("/datasets/:id/diff", w.diffDatasets)
	operator.GET("/recipes/:id/doubts", w.listDoubts)
	operator.GET("/drift", w.listDrifts)
	operator.POST("/drift/:id/seen", w.seeDrift)
	operator.GET("/events", w.apiEvents)

	qa := guard(api, least(storage.QA))
	qa.POST("/recipes/:id/train", w.train)
	qa.POST("/recipes/:id/doubts", w.decideDoubts)
	qa.POST("/recipes/:id/suspects", w.startJob(models.SuspectJob))
	qa.POST("/recipes/:id/versions", w.postVersion)
	qa.POST("/recipes/:id/rollback", w.rollback)
	qa.POST("/versions/:id/promote", w.promote)
	qa.POST("/versions/:id/shadow", w.postShadow)
	qa.DELETE("/versions/:id/shadow", w.deleteShadow)
	qa.GET("/recipes/:id/export", w.exportRecipe)
	qa.GET("/datasets/:id/export", w.exportDataset)
	qa.DELETE("/jobs/:id", w.cancelJob)

	admin := guard(api, least(storage.Admin))
	admin.POST("/stations", w.postStation)
	admin.PATCH("/stations/:id", w.patchStation)
	admin.POST("/stations/:id/token", w.postToken)
	admin.DELETE("/stations/:id", w.deleteStation)
	admin.GET("/people", w.listPeople)
	admin.POST("/people", w.postPerson)
	admin.PATCH("/people/:id", w.patchPerson)
}
