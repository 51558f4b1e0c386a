package pipeline

import (
	"fmt"
	"slices"

	"ctr/features"
)

// The presets of TrainOptions.
const (
	// PresetReplacedLR has the features of the replaced system's logistic
	// regression: 16 columns, C16, C19 and C21 capped, L2 0.001 on
	// standardised columns beside the mean loss, at most 100 iterations,
	// threshold 0.22.
	PresetReplacedLR = "replaced-lr"
	// PresetReplacedDT has those of its decision tree: 8 columns, depth 14.
	PresetReplacedDT = "replaced-dt"
)

// Presets are the names that TrainOptions.Preset may have.
func Presets() []string { return []string{PresetReplacedLR, PresetReplacedDT} }

// replacedCaps are the columns that the replaced system capped.
var replacedCaps = []string{"C15", "C16", "C19", "C21"}

// apply sets what the preset says and the caller has not.
func (o *TrainOptions) applyPreset() ([]string, error) {
	set := func(to *string, v string) {
		if *to == "" {
			*to = v
		}
	}
	columns := func(names ...string) {
		if len(o.Include) == 0 {
			o.Include = names
		}
	}
	switch o.Preset {
	case "":
		return nil, nil
	case PresetReplacedLR:
		set(&o.Algo, "lr")
		columns("site_domain", "site_id", "app_category", "app_domain", "site_category", "C16", "C21", "app_id",
			"C18", "device_type", "banner_pos", "device_model", "device_conn_type", "C17", "device_id", "C19")
		if o.Algo != "lr" {
			break
		}
		o.Model.Standardize, o.Model.MeanLoss = true, true
		if o.Model.L2 == nil {
			o.Model.L2 = ptr(0.001)
		}
		if o.Model.MaxIter == 0 {
			o.Model.MaxIter = 100
		}
	case PresetReplacedDT:
		set(&o.Algo, "dt")
		columns("device_id", "device_model", "hour_time", "site_id", "app_id", "day", "dayofweek", "C17")
		if o.Model.Depth == 0 && o.Algo == "dt" {
			o.Model.Depth = 14
		}
	default:
		return nil, fmt.Errorf("preset %q: want one of %v", o.Preset, Presets())
	}
	set(&o.Threshold, "0.22")
	return replacedCaps, nil
}

func ptr[T any](v T) *T { return &v }

// planOptions are the options of the features plan.
func (o *TrainOptions) planOptions(caps []string) features.PlanOptions {
	return features.PlanOptions{
		Include: o.Include, Exclude: o.Exclude, Crosses: o.Crosses, Pairs: o.CrossPairs, MinCount: o.MinCount,
		Bits: o.Bits, Bins: o.Bins, Values: o.NumbersAsValues, Caps: caps,
		HistoryBits: o.HistoryBits, Redact: o.Redact, Unhashed: o.unhashed,
	}
}

// reweigh makes the column name the only weight.
func reweigh(columns []features.Column, name string) []features.Column {
	out := slices.Clone(columns)
	found := false
	for i := range out {
		if out[i].Kind == features.Weight {
			out[i].Kind = features.Ignore
		}
		if out[i].Name == name {
			out[i].Kind, found = features.Weight, true
		}
	}
	if !found {
		out = append(out, features.Column{Name: name, Kind: features.Weight})
	}
	return out
}
