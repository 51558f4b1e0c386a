package pipeline

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"ctr/features"
)

// segmentName is the part of a segment's name that its partition does not say.
type segmentName struct {
	first      int64 // the offset that it begins at
	generation int32 // of the assignment that it is of
	random     string
	ext        string // of the predictions: ".csv" or ".jsonl"
}

// text is how commits name a segment.
func (n segmentName) text() string {
	return fmt.Sprintf("%020d-g%d-%s%s", n.first, n.generation, n.random, n.ext)
}

// The files of a segment.
const (
	rowsFile = iota
	deadFile
	segmentFiles
)

const deadExt = ".dead.jsonl"

func (n segmentName) extOf(kind int) string {
	if kind == deadFile {
		return deadExt
	}
	return n.ext
}

// part is the name of one of the files while it is written.
func (n segmentName) part(partition string, kind int) string {
	return fmt.Sprintf("%s%020d-g%d-%s%s.part", partition, n.first, n.generation, n.random, n.extOf(kind))
}

// final is the name of one of the files once all in it is committed.
func (n segmentName) final(partition string, kind int) string {
	return fmt.Sprintf("%s%020d%s", partition, n.first, n.extOf(kind))
}

// maxTopicName is how long a topic's name in a file's may be, in bytes. File
// names have at most 255, topics' up to 249.
const maxTopicName = 150

// partitionPrefix is what the names of a partition's files begin with.
func partitionPrefix(topic string, partition int32) string {
	t := url.PathEscape(topic)
	if len(t) > maxTopicName {
		sum := sha256.Sum256([]byte(topic))
		t = t[:maxTopicName-13] + "~" + hex.EncodeToString(sum[:6]) // no topic has a ~
	}
	return fmt.Sprintf("%s-%d-", t, partition)
}

// segmentFileName is what stands after the partition's prefix.
var segmentFileName = regexp.MustCompile(`^(\d{20})(?:-g(\d+)-[0-9a-f]{8})?\.(?:csv|jsonl|dead\.jsonl)(\.part|\.tmp)?$`)

// parseSegmentFile takes the name of a partition's file apart; open says that
// it is no final one.
func parseSegmentFile(name, partition string) (first int64, generation int32, open, ok bool) {
	rest, ok := strings.CutPrefix(name, partition)
	if !ok {
		return 0, 0, false, false
	}
	m := segmentFileName.FindStringSubmatch(rest)
	if m == nil || (m[2] == "") != (m[3] == "") {
		return 0, 0, false, false
	}
	first, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0, 0, false, false
	}
	if m[2] != "" {
		g, err := strconv.ParseInt(m[2], 10, 32)
		if err != nil {
			return 0, 0, false, false
		}
		generation = int32(g)
	}
	return first, generation, m[3] != "", true
}

// segmentCommit is what the metadata of a commit says: "ctr:folder:ID" where
// nothing has been written since the partition came, and else
// "ctr:folder:ID:NAME:LENGTH:LENGTH", the committed bytes of the predictions
// and of the dead letters.
type segmentCommit struct {
	id     string
	name   segmentName
	length [segmentFiles]int64
	some   bool // there is a segment
}

const segmentMetadata = "ctr:folder:"

func (c segmentCommit) text() string {
	if !c.some {
		return segmentMetadata + c.id
	}
	return fmt.Sprintf("%s%s:%s:%d:%d", segmentMetadata, c.id, c.name.text(), c.length[rowsFile], c.length[deadFile])
}

var segmentCommitForm = regexp.MustCompile(`^ctr:folder:([0-9a-f]{16})(?::(\d{20})-g(\d{1,10})-([0-9a-f]{8})(\.csv|\.jsonl):(\d{1,19}):(\d{1,19}))?$`)

// parseSegmentCommit reads what some member, perhaps not one of ours, left
// beside an offset. other is the first output of ctr that is no folder.
func parseSegmentCommit(metadata string) (c segmentCommit, other string, ok bool) {
	for line := range strings.SplitSeq(metadata, "\n") {
		m := segmentCommitForm.FindStringSubmatch(line)
		if m == nil {
			if other == "" && strings.HasPrefix(line, "ctr:") {
				other = line
			}
			continue
		}
		c.id, c.some, ok = m[1], m[2] != "", true
		if c.some {
			var g int64
			var errs [4]error
			c.name.first, errs[0] = strconv.ParseInt(m[2], 10, 64)
			g, errs[1] = strconv.ParseInt(m[3], 10, 32)
			c.name.generation, c.name.random, c.name.ext = int32(g), m[4], m[5]
			c.length[rowsFile], errs[2] = strconv.ParseInt(m[6], 10, 64)
			c.length[deadFile], errs[3] = strconv.ParseInt(m[7], 10, 64)
			if errors.Join(errs[:]...) != nil {
				return segmentCommit{}, line, false
			}
		}
	}
	return c, other, ok
}

// folderMark is what says whose a folder is. It lies in a folder of its own,
// since a folder that is renamed never replaces another that has something in
// it: so the first of several members is the one that makes it.
type folderMark struct {
	Format int    `json:"format"`
	ID     string `json:"id"`
	Group  string `json:"group"`
}

const (
	markFolder = ".ctr"
	markFile   = "output.json"
)

// markOutput makes dir an output of group, or finds that it is one.
func markOutput(dir, group string) (id string, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	m, err := readMark(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeMark(dir, group); err == nil {
			m, err = readMark(dir)
		}
	}
	if err != nil {
		return "", err
	}
	if m.Group != group {
		return "", features.WithHint(fmt.Errorf("%s: an output of group %s: want one of group %s", dir, m.Group, group),
			"each group writes to a folder of its own")
	}
	return m.ID, nil
}

func readMark(dir string) (m folderMark, err error) {
	path := filepath.Join(dir, markFolder, markFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	if m.Format != 1 || len(m.ID) != 16 {
		return m, fmt.Errorf("%s: format %d, id %q: want format 1 and 16 hex digits", path, m.Format, m.ID)
	}
	return m, nil
}

func makeMark(dir, group string) error {
	temp, err := os.MkdirTemp(dir, markFolder+"-*.tmp")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) //nolint:errcheck // it is there only where another member was first
	text, err := json.Marshal(folderMark{Format: 1, ID: randomHex(8), Group: group})
	if err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(temp, markFile), append(text, '\n')); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(temp, 0o755), syncFolder(temp)); err != nil {
		return err
	}
	err = os.Rename(temp, filepath.Join(dir, markFolder))
	if _, found := os.Stat(filepath.Join(dir, markFolder, markFile)); err != nil && found == nil {
		return nil // another member was first
	}
	return errors.Join(err, syncFolder(dir))
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncFolder makes new names in a folder outlast a power cut. It does nothing
// on Windows, which has no such call, nor on file systems that refuse it.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// SegmentStateDir gives the folder of the state files that belong to an output
// folder; see StateDir.
func SegmentStateDir(dir string) string { return filepath.Join(dir, markFolder, "state") }
