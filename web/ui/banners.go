package ui

import "context"

func bannerTitle(ctx context.Context, b Banner) string {
	switch b.Kind {
	case BannerStationLost:
		return T(ctx, "banner.station", "Name", b.Name)
	case BannerNoWorkers:
		return T(ctx, "banner.workers")
	case BannerWorkerLost:
		return T(ctx, "banner.worker", "Name", b.Name)
	case BannerDiskFull:
		return T(ctx, "banner.disk")
	case BannerBacklog:
		return T(ctx, "banner.backlog", "N", b.Count)
	case BannerDrift:
		return T(ctx, "banner.drift", "Name", b.Name, "What", DriftWords(ctx, b.Causes))
	case BannerNoModel:
		return T(ctx, "banner.nomodel", "Name", b.Name)
	}
	return T(ctx, "banner.quarantine", "N", b.Count)
}

func bannerAdvice(ctx context.Context, b Banner) string {
	switch b.Kind {
	case BannerStationLost:
		return T(ctx, "banner.station.do")
	case BannerNoWorkers:
		return T(ctx, "banner.workers.do")
	case BannerWorkerLost:
		return T(ctx, "banner.worker.do")
	case BannerDiskFull:
		return T(ctx, "banner.disk.do")
	case BannerBacklog:
		return T(ctx, "banner.backlog.do")
	case BannerDrift:
		return T(ctx, "banner.drift.do")
	case BannerNoModel:
		return T(ctx, "banner.nomodel.do")
	}
	return T(ctx, "banner.quarantine.do")
}

func toastText(ctx context.Context, t Toast) string {
	switch {
	case t.Undone:
		return T(ctx, "toast.undone", "N", len(t.Corrections))
	case t.Class.Name == "":
		return T(ctx, "toast.taken-back")
	}
	return T(ctx, "toast.labelled", "Class", t.Class.Name)
}
