package web

import (
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"loupe/storage"
	"loupe/web/vitals"
)

// metrics are what /metrics shows.
type metrics struct {
	registry *prometheus.Registry
	accepted prometheus.Counter
	refusals *prometheus.CounterVec
	dropped  prometheus.Counter
	verdicts *prometheus.CounterVec
	stages   *prometheus.HistogramVec
	requests *prometheus.HistogramVec
}

func newMetrics(w *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		accepted: prometheus.NewCounter(prometheus.CounterOpts{Name: "loupe_frames_accepted_total", Help: "Frames accepted from stations."}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "loupe_frames_refused_total", Help: "Frames refused, by the problem's code."}, []string{"code"}),
		dropped:  prometheus.NewCounter(prometheus.CounterOpts{Name: "loupe_frames_dropped_total", Help: "Frames given up without a verdict because newer ones of their station went first."}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "loupe_inspections_total", Help: "Frames judged, by verdict."}, []string{"verdict"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "loupe_frame_stage_seconds", Help: "Time that a frame spent in a stage.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10}}, []string{"stage"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "loupe_http_request_seconds", Help: "Time to answer a request.",
			Buckets: prometheus.DefBuckets}, []string{"method", "route", "status"}),
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	m.registry.MustRegister(m.accepted, m.refusals, m.dropped, m.verdicts, m.stages, m.requests, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		vitalsCollector{w},
		gauge("loupe_worker_mats", "OpenCV matrices that the workers hold, -1 where they are not counted.", func() float64 { return float64(w.openMats()) }),
		gauge("loupe_event_streams", "Open streams of events.", func() float64 { n, _ := w.hub.count(); return float64(n) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "loupe_events_dropped_total", Help: "Events that a slow reader missed."},
			func() float64 { _, n := w.hub.count(); return float64(n) }),
	)
	return m
}

// openMats sums what the workers count; −1 where one does not count.
func (w *Server) openMats() int {
	sum := 0
	for _, one := range w.Crew.Workers() {
		if one.Mats < 0 {
			return -1
		}
		sum += one.Mats
	}
	return sum
}

func (m *metrics) handler() echo.HandlerFunc {
	return echo.WrapHandler(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{DisableCompression: true}))
}

func (m *metrics) refused(err error) { m.refusals.WithLabelValues(problemOf(err).Code).Inc() }

func (m *metrics) count(e storage.Event) {
	if e.Kind == storage.FrameDropped {
		m.dropped.Inc()
	}
	if e.Kind != storage.InspectionMade {
		return
	}
	i := e.Inspection
	m.verdicts.WithLabelValues(string(i.Verdict)).Inc()
	for n, ms := range vitals.StageTimes(i.Timings) {
		m.stages.WithLabelValues(vitals.Stages[n]).Observe(ms / 1000)
	}
}

// observe times each request and logs it at debug level.
func (w *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		err := next(c)
		if err != nil {
			c.Error(err)
		}
		took := time.Since(began)
		if c.Path() != "" && c.Response().Header().Get("Content-Type") != eventStream { // a stream is open for hours
			w.metrics.requests.WithLabelValues(c.Request().Method, c.Path(), strconv.Itoa(c.Response().Status)).Observe(took.Seconds())
		}
		w.Log.Debug("request", "method", c.Request().Method, "path", c.Request().URL.Path, "status", c.Response().Status, "took", took,
			"id", c.Response().Header().Get(echo.HeaderXRequestID))
		return nil
	}
}
