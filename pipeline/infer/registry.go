// Package infer answers requests for click probabilities over HTTP: a plain
// form of its own (/v1/score) and what every server of the Open Inference
// Protocol has (/v2). Models can be replaced while it answers.
package infer

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ctr/features"
	"ctr/models"
	"ctr/pipeline"
)

// ModelFile says under which name and version a model file is served.
type ModelFile struct {
	// Name is how requests name the model; the default is the file's name
	// without its ending.
	Name string
	// Version, where not "", is a fixed one. Otherwise it is the hash of the
	// file, and changes with it.
	Version string
	Path    string
}

// String gives NAME@VERSION=PATH.
func (f ModelFile) String() string {
	s := f.Path
	if f.Name != "" || f.Version != "" {
		s = f.Name + "@" + f.Version + "=" + s
	}
	return s
}

// ParseModelFile reads [NAME[@VERSION]=]PATH.
func ParseModelFile(s string) (ModelFile, error) {
	f := ModelFile{Path: s}
	if name, path, ok := strings.Cut(s, "="); ok && !strings.ContainsAny(name, `/\`) {
		f.Path = path
		f.Name, f.Version, _ = strings.Cut(name, "@")
	}
	if f.Path == "" {
		return f, fmt.Errorf("model %q: want [NAME[@VERSION]=]FILE", s)
	}
	if f.Name == "" {
		f.Name = strings.TrimSuffix(filepath.Base(f.Path), filepath.Ext(f.Path))
	}
	if v := f.Name; v == "" || v == "." || v == ".." || strings.ContainsFunc(v, oddInName) {
		return f, features.WithHint(fmt.Errorf("model %q: name %q: want letters, digits, '.', '_' and '-'", s, v),
			"NAME=FILE gives it another name")
	}
	if v := f.Version; v == "." || v == ".." || strings.ContainsFunc(v, oddInName) {
		return f, fmt.Errorf("model %q: version %q: want letters, digits, '.', '_' and '-'", s, v)
	}
	return f, nil
}

// oddInName reports what may not stand in a name: it is part of a URL's path.
func oddInName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-')
}

// Model is one version of a model, as requests are answered by it. It does not
// change: who has taken one from the Registry answers by it to the end.
type Model struct {
	Name, Version, Hash, Path string
	Loaded                    time.Time
	*pipeline.Predictor

	columns map[string]int
	header  [2]string // name and version, as all answers have them
}

// Columns gives the place in Layout of each column. The caller must not change
// it.
func (m *Model) Columns() map[string]int { return m.columns }

// Registry holds the models that are served. Its methods may be called from
// any number of goroutines.
type Registry struct {
	o     RegistryOptions
	files []*watched
	now   atomic.Pointer[table]

	reloading sync.Mutex
}

// RegistryOptions are the settings of a Registry.
type RegistryOptions struct {
	// Files are the models; the first is the one that requests without a name
	// are answered by. Names with several versions answer by the last one
	// where a request names none.
	Files []ModelFile
	// Scorers say how rows are read.
	Scorers pipeline.ScorerOptions
	// Note, where not nil, is told of reloads, and of files that were refused.
	Note func(text string)
}

// watched is a file and what it was when it was last looked at.
type watched struct {
	ModelFile
	seen    os.FileInfo           // nil = never
	at      time.Time             // of that look
	gone    int                   // looks since then that found no file
	refused atomic.Pointer[error] // why the file as it was last seen is not served
}

// settled is how old a file that was refused must be to be held for whole: a
// program that writes it in place may change it without changing its size or,
// where the file system's clock is coarse, its time.
const settled = 2 * time.Second

// table is the models at one time. It does not change.
type table struct {
	models []*Model // in the order of the files
	names  map[string][]*Model
}

// OpenModels loads all files. The error is the first file's that can't be
// served.
func OpenModels(o RegistryOptions) (*Registry, error) {
	if len(o.Files) == 0 {
		return nil, errors.New("no models: want one or more")
	}
	r := &Registry{o: o}
	t := &table{}
	for _, f := range o.Files {
		w := &watched{ModelFile: f}
		for _, other := range r.files {
			if other.Name == f.Name && other.Version == f.Version {
				return nil, fmt.Errorf("model %s: served twice: want NAME=FILE or NAME@VERSION=FILE to tell them apart", f.Name)
			}
		}
		w.look()
		m, err := r.load(w)
		if err != nil {
			return nil, err
		}
		r.files = append(r.files, w)
		t.models = append(t.models, m)
	}
	t.index()
	r.now.Store(t)
	return r, nil
}

func (t *table) index() {
	t.names = map[string][]*Model{}
	for _, m := range t.models {
		t.names[m.Name] = append(t.names[m.Name], m)
	}
}

// load reads and checks a model.
func (r *Registry) load(w *watched) (*Model, error) {
	// Read once, so that Hash is of what was decoded, whatever becomes of the file.
	b, err := os.ReadFile(w.Path)
	if err != nil {
		_, err = models.Open(w.Path) // says it better
		return nil, cmp.Or(err, errGone)
	}
	a, err := models.Decode(b, w.Path)
	if err != nil {
		return nil, err
	}
	p, err := pipeline.NewPredictor(a, r.o.Scorers)
	if err == nil {
		err = p.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.Path, err)
	}
	m := &Model{Name: w.Name, Version: w.Version, Hash: a.Hash, Path: w.Path, Loaded: time.Now(), Predictor: p}
	m.columns = map[string]int{}
	for i, name := range p.Layout() {
		m.columns[name] = i
	}
	if m.Version == "" {
		m.Version = a.Hash
	}
	m.header = [2]string{m.Name, m.Version}
	return m, nil
}

// errGone is of a file that came and went while it was opened.
var errGone = errors.New("the file is being replaced")

// look reports whether the file is another than at the last look. One that is
// gone is as it was: whoever replaces it may be about to. A link is followed
// each time, so that replacing any link on the way is noticed as well.
func (w *watched) look() (changed bool) {
	info, err := os.Stat(w.Path)
	if err != nil {
		w.gone++
		return false
	}
	fresh := w.refused.Load() != nil && *w.refused.Load() != nil && w.at.Sub(info.ModTime()) < settled
	changed = w.seen == nil || fresh || !os.SameFile(info, w.seen) || info.Size() != w.seen.Size() || !info.ModTime().Equal(w.seen.ModTime())
	w.seen, w.at, w.gone = info, time.Now(), 0
	return changed
}

// Models gives all models, in the order of the files.
func (r *Registry) Models() []*Model { return r.now.Load().models }

// Default gives the model that answers requests without a name.
func (r *Registry) Default() *Model { return r.now.Load().models[0] }

// Find gives the model of a name, and of a version where it is not "". It gives
// nil where there is none.
func (r *Registry) Find(name, version string) *Model {
	list := r.now.Load().names[name]
	if version == "" {
		if len(list) == 0 {
			return nil
		}
		return list[len(list)-1]
	}
	for _, m := range list {
		if m.Version == version {
			return m
		}
	}
	return nil
}

// Reload looks at all files and loads those that have changed; with all, the
// others too. The models that were there answer until each new one has been
// read whole and checked; a file that is no model is refused and told, and what
// it replaced goes on. It gives how many models were replaced.
func (r *Registry) Reload(all bool) (replaced int, err error) {
	r.reloading.Lock()
	defer r.reloading.Unlock()
	old := r.now.Load()
	t := &table{models: slices.Clone(old.models)}
	var errs []error
	for i, w := range r.files {
		changed := w.look()
		if w.gone == 2 {
			r.note(fmt.Sprintf("model %s: %s is gone, version %s goes on", w.Name, w.Path, old.models[i].Version))
		}
		if !changed && !all {
			continue
		}
		m, err := r.load(w)
		before := w.refused.Swap(&err)
		if err != nil {
			errs = append(errs, err)
			if before == nil || *before == nil || (*before).Error() != err.Error() || all {
				r.note(fmt.Sprintf("model %s: the new file is refused, version %s goes on: %v", w.Name, old.models[i].Version, err))
			}
			continue
		}
		if m.Hash == old.models[i].Hash {
			continue
		}
		r.note(fmt.Sprintf("model %s: version %s of %s in place of %s", m.Name, m.Version, m.Path, old.models[i].Version))
		t.models[i] = m
		replaced++
	}
	if replaced > 0 {
		t.index()
		r.now.Store(t)
	}
	return replaced, errors.Join(errs...)
}

// Refused gives why the newest file of a model is not served, nil where it is.
func (r *Registry) Refused(m *Model) error {
	for _, w := range r.files {
		if err := w.refused.Load(); err != nil && w.Path == m.Path && w.Name == m.Name {
			return *err
		}
	}
	return nil
}

// Watch calls Reload every so often until stop is closed.
func (r *Registry) Watch(every time.Duration, stop <-chan struct{}) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			_, _ = r.Reload(false) // told through Note
		}
	}
}

func (r *Registry) note(text string) {
	if r.o.Note != nil {
		r.o.Note(text)
	}
}
