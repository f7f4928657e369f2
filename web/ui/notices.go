package ui

import "context"

// Notice is something that a handler tells the reader.
type Notice int

const (
	NoticeWrongSignIn Notice = iota
	NoticeWrongPassword
	NoticePasswordsDiffer
	NoticePasswordShort
	NoticePasswordSaved
	NoticeRecipeSaved
)

// Words says a notice in the reader's language.
func (n Notice) Words(ctx context.Context) string {
	switch n {
	case NoticeWrongSignIn:
		return T(ctx, "notice.signin")
	case NoticeWrongPassword:
		return T(ctx, "notice.password.wrong")
	case NoticePasswordsDiffer:
		return T(ctx, "notice.password.differ")
	case NoticePasswordShort:
		return T(ctx, "notice.password.short")
	case NoticePasswordSaved:
		return T(ctx, "notice.password.saved")
	}
	return T(ctx, "notice.recipe.saved")
}

// ShiftName names the shift that begins at an hour of the day: 6, 14 or 22.
func ShiftName(ctx context.Context, hour int) string {
	switch hour {
	case 6:
		return T(ctx, "shift.early")
	case 14:
		return T(ctx, "shift.late")
	}
	return T(ctx, "shift.night")
}
