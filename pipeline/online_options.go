package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ctr/features"
	"ctr/models"
	"ctr/models/linear"
)

// onlineFaults reports settings of online learning that can't be.
func (o *TrainOptions) onlineFaults() (faults []string) {
	ftrl := o.Model.Solver == linear.SolverFTRL
	if o.KeepNegatives != nil {
		if !(*o.KeepNegatives > 0 && *o.KeepNegatives <= 1) {
			faults = append(faults, "keep-negatives: want a share above 0 and at most 1")
		}
		if !ftrl {
			faults = append(faults, "keep-negatives: want --solver ftrl")
		}
	}
	if o.Window < 0 {
		faults = append(faults, "window: want 1 or more rows")
	}
	if o.Window > 0 && !ftrl {
		faults = append(faults, "window: want --solver ftrl")
	}
	if ftrl && o.Rows > 0 {
		faults = append(faults, o.whileReading("want all rows, without --rows")...)
	}
	return append(faults, o.warmFaults(ftrl)...)
}

// whileReading reports settings that mean something only where a model is
// learned while rows are read, not from a table of them.
func (o *TrainOptions) whileReading(want string) (faults []string) {
	for _, s := range []struct {
		flag string
		set  bool
	}{
		{"keep-negatives", o.KeepNegatives != nil},
		{"window", o.Window > 0},
		{"lock-free", o.Model.LockFree && o.Algo == linear.Algo},
	} {
		if s.set {
			faults = append(faults, s.flag+": "+want)
		}
	}
	return faults
}

// onlineOnly reports settings that logistic regression reads only where it
// learns online, unless another of the algorithms reads them.
func (o *TrainOptions) onlineOnly(list []models.Algorithm) (faults []string) {
	m := &o.Model
	if m.Solver == linear.SolverFTRL || !slices.ContainsFunc(list, func(a models.Algorithm) bool { return a.Name == linear.Algo }) {
		return nil
	}
	for _, s := range []struct {
		field, flag string
		set         bool
	}{
		{"Alpha", "alpha", m.Alpha != nil},
		{"Beta", "beta", m.Beta != nil},
		{"Passes", "passes", m.Passes != 0},
		{"LockFree", "lock-free", m.LockFree},
	} {
		other := func(a models.Algorithm) bool { return a.Name != linear.Algo && slices.Contains(a.Reads, s.field) }
		if s.set && !slices.ContainsFunc(list, other) {
			faults = append(faults, s.flag+": want --solver ftrl")
		}
	}
	return faults
}

// warmFaults reports what a warm start leaves no room for.
func (o *TrainOptions) warmFaults(ftrl bool) (faults []string) {
	if o.WarmStart == "" {
		return nil
	}
	if !ftrl {
		faults = append(faults, "warm-start: want --solver ftrl")
	}
	if o.Rows > 0 {
		faults = append(faults, "warm-start: want all rows, without --rows")
	}
	if len(o.Include)+len(o.Exclude)+len(o.Crosses)+len(o.CrossPairs)+len(o.History)+o.AutoCross > 0 ||
		o.Preset != "" || o.Bins > 0 || o.NumbersAsValues {
		faults = append(faults, "warm-start: the features are those of the model: want no others")
	}
	return faults
}

// warm gives the model to go on from, if one was named and opened.
func (o *TrainOptions) warm() (*models.Artifact, bool) { return o.warmed, o.warmed != nil }

// openWarm opens the model to go on from and takes what is not said from it.
func (o *TrainOptions) openWarm() error {
	if o.WarmStart == "" {
		return nil
	}
	a, err := models.Open(o.WarmStart)
	if err != nil {
		return err
	}
	if !linear.ResumesOnline(a.Model) {
		return &OptionError{Faults: []string{"warm-start: " + o.WarmStart + ": want a model that --solver ftrl trained"}}
	}
	if a.Spec.HasHistory() {
		return &OptionError{Faults: []string{"warm-start: " + o.WarmStart + ": want a model without history, which is judged from its first row on"}}
	}
	if o.Bits != 0 && o.Bits != a.Spec.Bits {
		return &OptionError{Faults: []string{fmt.Sprintf("bits %d: the model has %d", o.Bits, a.Spec.Bits)}}
	}
	if w := a.Spec.Schema.Find(features.Weight); o.Weight != "" && o.Weight != w {
		if w == "" {
			w = "without weights"
		} else {
			w = "with " + w
		}
		return &OptionError{Faults: []string{fmt.Sprintf("weight %s: the model was trained %s", o.Weight, w)}}
	}
	for _, name := range o.Redact {
		if !a.Spec.Redacts(name) {
			return &OptionError{Faults: []string{fmt.Sprintf("redact %s: the model redacts %s: want the same columns or none, since its features stay as they are",
				name, cmp.Or(strings.Join(a.Spec.Redacted, ", "), "none"))}}
		}
	}
	o.Redact = a.Spec.Redacted
	was := &a.Options
	if o.Model.Alpha == nil {
		o.Model.Alpha = was.Alpha
	}
	if o.Model.Beta == nil {
		o.Model.Beta = was.Beta
	}
	if o.Model.L1 == nil {
		o.Model.L1 = was.L1
	}
	if o.Model.L2 == nil {
		o.Model.L2 = was.L2
	}
	if o.Model.Admit == 0 {
		o.Model.Admit = was.Admit
	}
	o.warmed, o.Model.WarmStart = a, a.Model
	return nil
}
