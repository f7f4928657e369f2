package views

import (
	"context"

	"loupe/models"
	"loupe/storage"
	"loupe/web/ui"
)

// costs are a recipe's costs and what its thresholds do at them.
func (s *Source) costs(ctx context.Context, r storage.Recipe) (ui.CostsView, error) {
	v := ui.CostsView{Rule: r.Costs}
	var err error
	v.Suggestion, v.Known, err = models.Suggest(ctx, s.DB, r)
	return v, err
}
