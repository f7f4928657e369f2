package commands

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// stuckAfter is how long the dispatcher may not have looked at the queue.
const stuckAfter = 20 * time.Second

// watchdog tells systemd that the server has started, that it is alive, and
// that it stops. A server whose database or dispatcher hangs says nothing, and
// systemd starts it anew. Without systemd it does nothing.
func (a *App) watchdog(ctx context.Context) error {
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady)
	defer func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyStopping) }()
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		if a.alive(ctx, every/3) {
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// alive reports whether database and dispatcher do their work. A full disk is
// no reason to start anew.
func (a *App) alive(ctx context.Context, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := a.DB.CountPending(ctx)
	return err == nil && time.Since(a.dispatcher.LastLook()) < stuckAfter
}
