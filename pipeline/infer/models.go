package infer

import (
	"encoding/json"
	"net/http"
	"time"
)

// ModelInfo is a model in the JSON of /v1/models.
type ModelInfo struct {
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	Hash      string    `json:"hash"`
	Algo      string    `json:"algo"`
	Threshold float64   `json:"threshold"`
	Default   bool      `json:"default"`
	Columns   []string  `json:"columns"` // that a row must have
	Loaded    time.Time `json:"loaded"`
	Refused   string    `json:"refused,omitempty"` // why the newest file is not served
}

func (s *Server) models(w http.ResponseWriter, _ *http.Request) *fault {
	list := []ModelInfo{}
	for i, m := range s.o.Registry.Models() {
		info := ModelInfo{
			Name: m.Name, Version: m.Version, Hash: m.Hash, Algo: m.Artifact().Model.Algo(),
			Threshold: m.Threshold(), Default: i == 0, Columns: []string{}, Loaded: m.Loaded.UTC(),
		}
		for c, need := range m.Needs() {
			if need {
				info.Columns = append(info.Columns, m.Layout()[c])
			}
		}
		if err := s.o.Registry.Refused(m); err != nil {
			info.Refused = err.Error()
		}
		list = append(list, info)
	}
	return writeJSON(w, map[string]any{"models": list})
}

func (s *Server) compared(w http.ResponseWriter, _ *http.Request) *fault {
	if s.challenge == nil {
		return &fault{status: http.StatusNotFound, text: "no challenger: want --challenger"}
	}
	return writeJSON(w, s.challenge.comparison(s.o.Registry))
}

func writeJSON(w http.ResponseWriter, v any) *fault {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // an error means that who asked has gone
	return nil
}
