package synth

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ctr/features/race"
)

const wantHeader = "id,click,hour,C1,banner_pos,site_id,site_domain,site_category,app_id,app_domain," +
	"app_category,device_id,device_ip,device_model,device_type,device_conn_type,C14,C15,C16,C17,C18,C19,C20,C21"

// table is a parsed output.
type table struct {
	header []string
	rows   [][]string
}

func parsed(t *testing.T, o Options) table {
	t.Helper()
	text, _ := written(t, o)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if lines[0] != wantHeader {
		t.Fatalf("header %s", lines[0])
	}
	tb := table{header: strings.Split(lines[0], ",")}
	for i, line := range lines[1:] {
		f := strings.Split(line, ",")
		if len(f) != len(tb.header) {
			t.Fatalf("row %d has %d fields: %s", i, len(f), line)
		}
		tb.rows = append(tb.rows, f)
	}
	return tb
}

func (tb table) column(name string) int { return slices.Index(tb.header, name) }

func (tb table) distinct(name string) int {
	c := tb.column(name)
	seen := map[string]struct{}{}
	for _, r := range tb.rows {
		seen[r[c]] = struct{}{}
	}
	return len(seen)
}

// TestDistinctValues compares the numbers of distinct values with those of
// 23,299 rows of Avazu's (which span 34 hours, not ten days) within a tenth
// where a column has many, and with their growth at 200,000 rows.
func TestDistinctValues(t *testing.T) {
	if race.Enabled {
		t.Skip("statistics of one goroutine")
	}
	small, large := parsed(t, Options{Rows: 23_299, Seed: 2}), parsed(t, Options{Rows: 200_000, Seed: 2})
	f := func(column string, lo, hi, lo200, hi200 int) {
		t.Helper()
		if n := small.distinct(column); n < lo || n > hi {
			t.Errorf("%s: %d values in 23,299 rows, want %d to %d", column, n, lo, hi)
		}
		if n := large.distinct(column); n < lo200 || n > hi200 {
			t.Errorf("%s: %d values in 200,000 rows, want %d to %d", column, n, lo200, hi200)
		}
	}
	f("C1", 5, 7, 7, 7)
	f("banner_pos", 5, 7, 6, 7)
	f("site_id", 660, 800, 1600, 2300)
	f("site_domain", 550, 680, 1450, 2200)
	f("site_category", 14, 20, 17, 25)
	f("app_id", 605, 740, 1400, 2000)
	f("app_domain", 42, 58, 80, 150)
	f("app_category", 12, 20, 17, 30)
	f("device_id", 3800, 4670, 28_000, 36_000)
	f("device_ip", 19_000, 20_800, 120_000, 170_000)
	f("device_model", 1750, 2140, 3800, 5200)
	f("device_type", 4, 5, 4, 5)
	f("device_conn_type", 4, 4, 4, 4)
	f("C14", 475, 640, 850, 1250)
	f("C15", 5, 8, 6, 8)
	f("C16", 6, 9, 7, 9)
	f("C17", 156, 192, 210, 320)
	f("C18", 4, 4, 4, 4)
	f("C19", 36, 48, 50, 68)
	f("C20", 138, 160, 160, 172)
	f("C21", 36, 46, 42, 58)
}

func TestRowsAreWellFormed(t *testing.T) {
	const rows = 30_000
	tb := parsed(t, Options{Rows: rows, Seed: 9})
	at := tb.column
	ids := make(map[uint64]bool, len(tb.rows))
	var app, noDevice, clicks, size int
	hour := ""
	perHour := map[string]int{}
	for i, r := range tb.rows {
		id, err := strconv.ParseUint(r[0], 10, 64)
		if err != nil || ids[id] {
			t.Fatalf("row %d: id %s: repeated or no number", i, r[0])
		}
		ids[id] = true
		inApp := r[at("site_id")] == noSite
		if inApp == (r[at("app_id")] == noApp) {
			t.Fatalf("row %d: neither or both of site and app: %v", i, r)
		}
		if inApp != (r[at("site_category")] == noSiteCategory) || inApp != (r[at("site_domain")] == noSiteDomain) {
			t.Fatalf("row %d: site columns disagree: %v", i, r)
		}
		if !inApp && (r[at("app_domain")] != noAppDomain || r[at("app_category")] != noAppCategory) {
			t.Fatalf("row %d: app columns disagree: %v", i, r)
		}
		for _, c := range []string{"site_id", "site_domain", "app_id", "device_id", "device_ip", "device_model"} {
			if v := r[at(c)]; len(v) != 8 || strings.Trim(v, hexDigits) != "" {
				t.Fatalf("row %d: %s: %q: want 8 hexadecimal digits", i, c, v)
			}
		}
		if r[2] < hour {
			t.Fatalf("row %d: hour %s after %s", i, r[2], hour)
		}
		hour = r[2]
		perHour[hour]++
		app += count(inApp)
		noDevice += count(r[at("device_id")] == noDeviceID)
		clicks += count(r[1] == "1")
		for _, v := range r {
			size += len(v) + 1
		}
	}
	within(t, "share in apps", float64(app)/rows, .36, .39)
	within(t, "share without device_id", float64(noDevice)/rows, .81, .83)
	within(t, "click-through rate", float64(clicks)/rows, .16, .18)
	within(t, "bytes a row", float64(size)/rows, 146, 156)
	if first, last := tb.rows[0][2], hour; first != "14102100" || last != "14103023" || len(perHour) != hours {
		t.Errorf("hours %s to %s, %d of them, want 14102100 to 14103023, %d", first, last, len(perHour), hours)
	}
	within(t, "busy over quiet hour", float64(perHour["14102209"])/float64(perHour["14102223"]), 2, 6)
}

// TestDependence checks what decides what.
func TestDependence(t *testing.T) {
	tb := parsed(t, Options{Rows: 30_000, Seed: 4})
	f := func(from, to string, lo, hi float64) {
		t.Helper()
		a, b := tb.column(from), tb.column(to)
		groups := map[string]map[string]int{}
		for _, r := range tb.rows {
			if groups[r[a]] == nil {
				groups[r[a]] = map[string]int{}
			}
			groups[r[a]][r[b]]++
		}
		kept := 0
		for _, g := range groups {
			most := 0
			for _, n := range g {
				most = max(most, n)
			}
			kept += most
		}
		within(t, from+" decides "+to, float64(kept)/float64(len(tb.rows)), lo, hi)
	}
	f("site_id", "site_category", 1, 1)
	f("site_id", "site_domain", .98, .999)
	f("app_id", "app_domain", 1, 1)
	f("app_id", "app_category", 1, 1)
	f("C14", "C17", 1, 1)
	f("C14", "C15", 1, 1)
	f("C14", "C16", 1, 1)
	f("C17", "C18", 1, 1)
	f("C17", "C21", 1, 1)
	f("C17", "C19", .93, .99)
	f("C17", "C14", .4, .8)
	f("C1", "device_type", .99, 1)
	f("device_model", "device_type", .97, .995)
	f("site_id", "banner_pos", .93, .98)
}

// TestSeedsShareTheValues: a model trained on one seed's rows knows another's.
func TestSeedsShareTheValues(t *testing.T) {
	a, b := parsed(t, Options{Rows: 20_000, Seed: 1}), parsed(t, Options{Rows: 20_000, Seed: 2})
	f := func(column string) {
		t.Helper()
		if x, y := a.mostCommon(column), b.mostCommon(column); x != y {
			t.Errorf("%s: most common value %s of seed 1, %s of seed 2", column, x, y)
		}
	}
	f("site_id")
	f("app_domain")
	f("device_model")
	f("C14")
}

func (tb table) mostCommon(column string) string {
	c := tb.column(column)
	n := map[string]int{}
	best := ""
	for _, r := range tb.rows {
		if n[r[c]]++; n[r[c]] > n[best] {
			best = r[c]
		}
	}
	return best
}

func TestHourEnds(t *testing.T) {
	f := func(n int64) {
		t.Helper()
		ends := hourEnds(n)
		if !slices.IsSorted(ends[:]) || ends[hours-1] != n {
			t.Errorf("%d rows: hours end at %v", n, ends)
		}
	}
	f(1)
	f(239)
	f(40_428_967)
	f(MaxRows)
}

func TestTails(t *testing.T) {
	f := func(z zipf) {
		t.Helper()
		tl := newTail(z)
		next := uint32(0)
		for i := range tl.first {
			if tl.first[i] != next || tl.width[i] == 0 {
				t.Fatalf("step %d begins at %d with width %d, want %d", i, tl.first[i], tl.width[i], next)
			}
			next += tl.width[i]
		}
		if next != uint32(z.n) {
			t.Errorf("steps end at %d, want %d", next, z.n)
		}
		if z.n > math.MaxUint32/kinds-1 {
			t.Errorf("%d values of %d kinds do not fit into 32 bits", z.n, kinds)
		}
	}
	f(ipLaw)
	f(idLaw)
}

// TestAlias draws from every cell of a table and compares the shares with the
// weights exactly.
func TestAlias(t *testing.T) {
	weights := []uint64{1 << 40, 3 << 40, 1, 7 << 38, 5 << 41}
	table := newAlias(weights)
	var total float64
	got := make([]float64, len(weights))
	for i, c := range table {
		keep := float64(c.keep) / (1 << 32)
		got[i] += keep / float64(len(table))
		got[c.other] += (1 - keep) / float64(len(table))
	}
	for _, w := range weights {
		total += float64(w)
	}
	for i, w := range weights {
		if want := float64(w) / total; math.Abs(got[i]-want) > 1e-9 {
			t.Errorf("value %d: share %g, want %g", i, got[i], want)
		}
	}
}

func TestExpAndLog(t *testing.T) {
	for x := -30.0; x <= 30; x += .37 {
		if got, want := expOf(x), math.Exp(x); math.Abs(got/want-1) > 1e-14 {
			t.Errorf("exp(%g) = %g, want %g", x, got, want)
		}
		y := math.Exp(x)
		if got := logOf(y); math.Abs(got-x) > 1e-14*max(1, math.Abs(x)) {
			t.Errorf("log(%g) = %g, want %g", y, got, x)
		}
	}
	w := theWorld()
	for z := int32(-15 * one); z < 15*one; z += 1001 {
		got, want := float64(w.probability(z))/(1<<32), 1/(1+math.Exp(-float64(z)/one))
		if math.Abs(logitOf(z)) < 14 && math.Abs(got-want) > 4e-6 {
			t.Errorf("probability of logit %g: %g, want %g", logitOf(z), got, want)
		}
	}
}

func logitOf(z int32) float64 { return float64(z) / one }

func within(t *testing.T, what string, got, lo, hi float64) {
	t.Helper()
	if !(got >= lo && got <= hi) {
		t.Errorf("%s: %g, want %g to %g", what, got, lo, hi)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
