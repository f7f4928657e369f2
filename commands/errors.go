package commands

import "fmt"

// UsageError is trouble with what the user typed or named: one line, exit code 2.
// Its text says what to do instead.
type UsageError struct{ message string }

func (e *UsageError) Error() string { return e.message }

// ExitCode is the exit code of the program.
func (e *UsageError) ExitCode() int { return badInput }

func usage(format string, args ...any) error {
	return &UsageError{fmt.Sprintf(format, args...)}
}
