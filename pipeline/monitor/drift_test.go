package monitor

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"ctr/models"
)

// columnOf gives a column and those that raise an alarm.
func columnOf(v *Live, name string) (c Column, alarmed []string) {
	for _, x := range v.Models[0].Columns {
		if x.Name == name {
			c = x
		}
		if x.Alarm != "" {
			alarmed = append(alarmed, x.Name+" "+x.Alarm)
		}
	}
	return c, alarmed
}

func TestDrift(t *testing.T) {
	f := fixtureOf(t)
	reg, c := registryOf(t, f.lr), newClock()
	feed := func(change func([]string)) *Live {
		m := serving(reg, c)
		for at := testRows - 6000; at < testRows; at += 500 {
			var rows [][]byte
			for _, line := range f.lines[at : at+500] {
				cells := strings.Split(strings.TrimSuffix(string(line), "\n"), ",")
				change(cells)
				rows = append(rows, []byte(strings.Join(cells, ",")+"\n"))
			}
			ask(t, m, reg.Default(), rows...)
			c.pass(time.Second)
			m.tick()
		}
		return m.Live()
	}
	at := func(name string) int {
		for i, h := range strings.Split(strings.TrimSpace(string(f.header)), ",") {
			if h == name {
				return i
			}
		}
		t.Fatalf("no column %s", name)
		return 0
	}

	v := feed(func([]string) {})
	if _, alarmed := columnOf(v, ""); alarmed != nil {
		t.Errorf("rows as training held them out: alarms %v: want none", alarmed)
	}
	if col, _ := columnOf(v, "device_ip"); col.Unseen == nil || math.Abs(*col.Unseen-*col.TrainUnseen) > 0.1 || *col.TrainUnseen < 0.2 {
		t.Errorf("device_ip: %+v: want about as many unseen as among the rows held out", col)
	}
	if col, _ := columnOf(v, "hour_time"); col.Note == "" || col.Alarm != "" {
		t.Errorf("hour_time: %+v: want a note and no alarm", col)
	}

	pos := at("banner_pos")
	v = feed(func(cells []string) { cells[pos] = "1" })
	col, alarmed := columnOf(v, "banner_pos")
	if len(alarmed) != 1 || col.Alarm != "psi" || *col.PSI < 0.2 {
		t.Errorf("banner_pos replaced: %+v, alarms %v: want its PSI alone", col, alarmed)
	}
	if len(v.Alarms) != 1 || v.Alarms[0].Column != "banner_pos" || v.Alarms[0].Kind != "psi" || v.Alarms[0].Since.IsZero() {
		t.Errorf("alarms %+v", v.Alarms)
	}

	ip := at("device_ip")
	n := 0
	v = feed(func(cells []string) { n++; cells[ip] = fmt.Sprintf("new%d", n) })
	if col, _ := columnOf(v, "device_ip"); *col.Unseen != 1 {
		t.Errorf("device_ip of new values: %+v: want all unseen", col)
	}
}

func TestColumnsSayWhatIsNotKnown(t *testing.T) {
	f := fixtureOf(t)
	a, err := models.Open(f.lr)
	if err != nil {
		t.Fatal(err)
	}
	few := newFields(a).columns(make([]int64, newFields(a).total), 20)
	if few[1].PSI != nil || !strings.Contains(few[1].Note, "20 rows") {
		t.Errorf("20 rows: %+v: want a note", few[1])
	}
	a.Reference = nil // as older files have none
	old := newFields(a).columns(make([]int64, newFields(a).total), 10_000)
	if old[1].PSI != nil || old[1].TrainUnseen != nil || !strings.Contains(old[1].Note, "does not tell") || old[1].Alarm != "" {
		t.Errorf("no reference: %+v: want a note", old[1])
	}
}

// At a thousand rows a batch and many batches a second, about 2,000 rows a
// second are looked at.
func TestSamplingIsBounded(t *testing.T) {
	f := fixtureOf(t)
	reg, c := registryOf(t, f.lr), newClock()
	m := serving(reg, c)
	for range 5 {
		for range 20 {
			ask(t, m, reg.Default(), f.lines[:1000]...)
		}
		c.pass(time.Second)
		m.tick()
	}
	v := m.Live().Models[0]
	if v.Predictions != 100_000 || v.Sampled < 8000 || v.Sampled > 5*(sampleTarget+8) {
		t.Errorf("%d of %d rows looked at: want about 10,000", v.Sampled, v.Predictions)
	}
}
