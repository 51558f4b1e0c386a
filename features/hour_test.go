package features

import (
	"testing"
	"time"
)

func TestParseHour(t *testing.T) {
	f := func(in string, want string) {
		t.Helper()
		h, ok := ParseHour([]byte(in))
		if want == "" {
			if ok {
				t.Errorf("ParseHour(%q) = %v, want not ok", in, h)
			}
			return
		}
		at, err := time.Parse("2006-01-02 15", want)
		if err != nil {
			t.Fatal(err)
		}
		if !ok || int64(h) != at.Unix()/3600 {
			t.Errorf("ParseHour(%q) = %d, %v, want %d", in, h, ok, at.Unix()/3600)
		}
	}
	f("14102100", "2014-10-21 00")
	f("14103023", "2014-10-30 23")
	f("00022923", "2000-02-29 23")
	f("2014-10-21", "2014-10-21 00")
	f("2014-10-21 04:00:00", "2014-10-21 04")
	f("2014-10-21T04:59:59", "2014-10-21 04")
	f("1969-12-31 23:00:00", "1969-12-31 23")
	f("1900-03-01", "1900-03-01 00")
	for _, bad := range []string{
		"", "1410210", "141021000", "1410210x", "14132100", "14103200", "14022900", "14102124", "14100000",
		"2014-10-21 4:00:00", "2014-10-21 24:00:00", "2014-10-21 00:60:00", "2014-10-21 00:00:60", "2014/10/21",
		"2014-10-21 04:00", "2014-02-30", "2014-00-10", "2014-1-010", "0000-01-01", "2014-10-21 04-00-00", "-0141021",
	} {
		f(bad, "")
	}
}

// Every hour of some years agrees with package time, and String reads back.
func TestHourEqualsTime(t *testing.T) {
	for _, year := range []int{1969, 1999, 2000, 2014, 2024, 2099, 2100} {
		at := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		for ; at.Year() == year; at = at.Add(7 * time.Hour) {
			h := Hour(at.Unix() / 3600)
			if at.Unix()%3600 != 0 || at.Unix() < 0 && at.Unix()%3600 != 0 {
				t.Fatal("not a whole hour")
			}
			if h.HourTime() != at.Hour() || h.Day() != at.Day() || h.Month() != int(at.Month()) || h.DayOfWeek() != int(at.Weekday())+1 {
				t.Fatalf("%v: %d %d %d %d", at, h.HourTime(), h.Day(), h.Month(), h.DayOfWeek())
			}
			if back, ok := ParseHour([]byte(h.String())); !ok || back != h {
				t.Fatalf("%v: %q reads back as %v, %v", at, h.String(), back, ok)
			}
		}
	}
}

// TestPartOf: a part's name is a column's first, where there is one.
func TestPartOf(t *testing.T) {
	s := &Schema{Columns: []Column{{"hour", Time}, {"day", Category}}}
	for name, want := range map[string]Part{"hour_time": HourTime, "month": Month, "day": Whole, "hour": Whole, "site": Whole, "": Whole} {
		if got := s.PartOf(name); got != want {
			t.Errorf("%q: %q: want %q", name, got, want)
		}
	}
}
