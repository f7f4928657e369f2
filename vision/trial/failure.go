package trial

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// What OpenCV and the C++ runtime write on standard error before the process
// ends, and what ONNX Runtime gives as errors.
var (
	atNode   = regexp.MustCompile(`ERROR during processing node with \d+ inputs and \d+ outputs: \[([^\]\n]{1,200})\]:\(([^\n]{0,500}?)\)(?: from domain|\n|$)`)
	inNode   = regexp.MustCompile(`^onnx_node(?:_output_\d+)?!`)
	library  = regexp.MustCompile(`OpenCV\((\d+\.\d+)[.\w-]*\)`)
	because  = regexp.MustCompile(`error: \(-\d+:[^)\n]*\) ([^\n]+)`)
	where    = regexp.MustCompile(`(?:^| )in function '[^'\n]*'$`)
	noMemory = regexp.MustCompile(`Insufficient memory|std::bad_alloc|cannot allocate memory|out of memory|OutOfMemoryError|pthread_create failed|bad allocation|Failed to allocate memory`)
	noOutput = regexp.MustCompile(`can't find layer for output name: '([^'\n]{1,200})'`)
	refused  = regexp.MustCompile(`In Node, \("([^"\n]{0,200})", (\w{1,100}),[^\n]* , Error ([^\n]+)`)
	noResult = regexp.MustCompile(`Graph output \(([^)\n]{1,200})\) does not exist`)
	signal   = regexp.MustCompile(`(?m)^(SIG[A-Z]+): `)
)

// explain says why a process died over a file, by what it wrote on standard error.
func explain(err error, errors string, size int) *Failure {
	f := &Failure{Reason: Crashes}
	name := strings.TrimSpace("OpenCV " + first(library, errors))
	why := reason(errors)
	m := atNode.FindStringSubmatch(errors)
	switch {
	case noMemory.MatchString(errors), m == nil && died(err) == killed:
		return tooLarge(size)
	case m != nil:
		f.Reason, f.Operator, f.Node = Operator, plain(m[1]), plain(inNode.ReplaceAllString(m[2], ""))
		f.words = fmt.Sprintf("%s cannot read the operator %s (node %s)", name, f.Operator, f.Node)
		if why != "" && !strings.HasPrefix(why, "Can't create layer") {
			f.words += " as it is used there: " + why
		}
	case noOutput.MatchString(errors):
		f.Reason = Wrong
		f.words = fmt.Sprintf("No node of the file gives its output %s", plain(first(noOutput, errors)))
	case why != "":
		f.words = fmt.Sprintf("%s ended over this file: %s", name, why)
	case signal.MatchString(errors):
		f.words = fmt.Sprintf("%s ended over this file by the signal %s", name, first(signal, errors))
	default:
		f.words = fmt.Sprintf("The process that tried this file ended without an answer (%s)", died(err))
	}
	return f
}

func tooLarge(size int) *Failure {
	return &Failure{Reason: Memory, words: fmt.Sprintf("The file needs more memory than the %d MB that a trial gives it to judge a picture of %d×%d pixels", Room>>20, size, size)}
}

// unread says why an engine could not load a file, which ONNX Runtime tells
// without dying over it.
func unread(a Answer, size int) *Failure {
	text := a.Unread
	if noMemory.MatchString(text + a.Trouble) {
		return tooLarge(size)
	}
	if m := refused.FindStringSubmatch(text); m != nil {
		f := &Failure{Reason: Operator, Operator: plain(m[2]), Node: plain(m[1])}
		f.words = fmt.Sprintf("%s cannot read the operator %s (node %s): %s", a.Engine, f.Operator, f.Node, strings.TrimRight(plain(m[3]), "."))
		return f
	}
	if m := noResult.FindStringSubmatch(text); m != nil {
		return &Failure{Reason: Wrong, words: "No node of the file gives its output " + plain(m[1])}
	}
	return &Failure{Reason: Crashes, words: fmt.Sprintf("%s cannot load this file: %s", a.Engine, strings.TrimRight(plain(text), "."))}
}

// reason is the last thing that OpenCV complained about: the cause comes last.
func reason(errors string) string {
	all := because.FindAllStringSubmatch(errors, -1)
	if len(all) == 0 {
		return ""
	}
	return strings.TrimRight(plain(where.ReplaceAllString(all[len(all)-1][1], "")), ".")
}

func first(r *regexp.Regexp, text string) string {
	if m := r.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// longest is how much of a foreign text is repeated, in bytes.
const longest = 160

// plain makes a foreign text one short line.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || unicode.IsSpace(r) {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(text, "?"))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}
