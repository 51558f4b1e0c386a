package synth

import "math"

// Everything that decides a byte of the output is integer arithmetic, so that
// amd64, arm64 and the rest agree. The tables that the integers come from are
// made once from float64 with the functions below, which use only what IEEE
// 754 defines exactly (+ - * / and scaling by powers of two). A Go compiler may
// fuse x*y + z into one rounding where the processor can, which changes the
// last bit; an explicit conversion, float64(x*y), forbids it (Go specification,
// "Floating-point operators"). math.Exp, math.Log and math.Pow have assembly
// on some processors and are not used.

const ln2 = 0.693147180559945309417232121458176568

// expOf gives e**x for |x| <= 700, the same bits on every machine.
func expOf(x float64) float64 {
	k := math.Floor(float64(x/ln2) + 0.5)
	r := x - float64(k*ln2)
	sum := 1.0
	for i := 20; i >= 1; i-- { // Horner's form of the Taylor series; |r| <= ln2/2
		sum = 1 + float64(float64(r*sum)/float64(i))
	}
	return math.Ldexp(sum, int(k))
}

// logOf gives the natural logarithm of x > 0, the same bits on every machine.
func logOf(x float64) float64 {
	m, k := math.Frexp(x) // x = m * 2**k, m in [0.5, 1)
	t := (m - 1) / (m + 1)
	t2 := float64(t * t)
	sum := 0.0
	for i := 41; i >= 1; i -= 2 { // log m = 2 (t + t^3/3 + t^5/5 + ...), |t| <= 1/3
		sum = float64(t2*sum) + 1/float64(i)
	}
	return float64(2*float64(t*sum)) + float64(float64(k)*ln2)
}

// one is 1.0 in the fixed-point logits used here.
const one = 1 << 16

const (
	sigmoidLimit = 14       // logits are clamped to ±14
	sigmoidStep  = one / 64 // between two knots of the table
	sigmoidKnots = 2*sigmoidLimit*64 + 2
)

// newSigmoid tabulates 2**32 / (1 + e**-x) at every sigmoidStep.
func newSigmoid() *[sigmoidKnots]uint32 {
	var t [sigmoidKnots]uint32
	for i := range t {
		x := float64(float64(i)/64) - sigmoidLimit
		t[i] = uint32(float64(4294967296 / (1 + expOf(-x))))
	}
	return &t
}

// probability gives the click probability of a fixed-point logit in units of
// 2**-32, linear between the knots of the table: that line is the truth, not
// an approximation of it.
func (w *world) probability(logit int32) uint32 {
	x := int64(min(max(logit, -sigmoidLimit*one), sigmoidLimit*one-1)) + sigmoidLimit*one
	i, frac := x/sigmoidStep, x%sigmoidStep
	a, b := int64(w.sigmoid[i]), int64(w.sigmoid[i+1])
	return uint32(a + (b-a)*frac/sigmoidStep)
}
