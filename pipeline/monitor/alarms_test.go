package monitor

import (
	"strings"
	"testing"
)

// Shares keep the digits that tell them from their limits: 10.4 %, not 10 %.
func TestAlarmShares(t *testing.T) {
	unseen, missing, train := .224, .0104, .0049
	v := Model{Columns: []Column{
		{Name: "site", Alarm: "unseen", Unseen: &unseen, TrainUnseen: &train},
		{Name: "age", Alarm: "missing", Missing: &missing, TrainMissing: &train},
	}}
	var texts []string
	for _, a := range v.alarms() {
		texts = append(texts, a.Text)
	}
	got, want := strings.Join(texts, "\n"), "column site: 22.4 % of the rows have values that training did not see, 0.49 % did then\n"+
		"column age: 1.04 % of the rows have no value, 0.49 % had none in training"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
