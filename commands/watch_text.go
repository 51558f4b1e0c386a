package commands

import (
	"fmt"
	"strings"
	"unicode"

	"ctr/models/metrics"
)

// sparkline draws the last width values between 0 and their maximum, one
// character each; NaN is a space.
func sparkline(values []float64, width int) string {
	values = values[max(len(values)-width, 0):]
	top := 0.0
	for _, x := range values {
		if x > top {
			top = x
		}
	}
	steps := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, x := range values {
		switch {
		case x != x:
			b.WriteByte(' ')
		case top == 0:
			b.WriteRune(steps[0])
		default:
			b.WriteRune(steps[min(int(x/top*float64(len(steps))), len(steps)-1)])
		}
	}
	return b.String()
}

// decimal gives x with so many digits behind the point, a dash where it is nil.
func decimal(x *float64, digits int) string {
	if x == nil {
		return "–"
	}
	return metrics.Text(*x, digits)
}

// percent gives a share as a percentage.
func percent(x *float64) string {
	switch {
	case x == nil:
		return "–"
	case *x == 0:
		return "0 %"
	case *x > 0 && *x < 0.00005:
		return "<0.01 %"
	case *x < 0.1:
		return metrics.Text(100**x, 2) + " %"
	}
	return metrics.Text(100**x, 1) + " %"
}

func spanOf(x *float64) string {
	if x == nil {
		return "–"
	}
	return span(*x)
}

// span gives a time in seconds in the unit that suits it: 36 µs, 0.42 ms, 2.31 s.
func span(s float64) string {
	three := func(x float64) string {
		switch {
		case x < 10:
			return metrics.Text(x, 2)
		case x < 100:
			return metrics.Text(x, 1)
		}
		return metrics.Text(x, 0)
	}
	switch {
	case s < 1e-4:
		return metrics.Text(s*1e6, 0) + " µs"
	case s < 1:
		return three(s*1000) + " ms"
	case s < 60:
		return three(s) + " s"
	}
	return age(s)
}

// age gives a time in seconds as whole seconds, or as its two largest units.
func age(s float64) string {
	switch n := max(int64(s), 0); {
	case n < 60:
		return fmt.Sprintf("%d s", n)
	case n < 3600:
		return fmt.Sprintf("%d min %d s", n/60, n%60)
	case n < 86400:
		return fmt.Sprintf("%d h %d min", n/3600, n%3600/60)
	default:
		return fmt.Sprintf("%d d %d h", n/86400, n%86400/3600)
	}
}

// printable replaces what a terminal might take for a command: values of rows
// may be anything.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, s)
}
