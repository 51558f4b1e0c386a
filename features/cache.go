package features

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// A cache is a table of text made ready to be read again without parsing: each
// column's distinct values once, and for each row their numbers, packed. It
// holds all columns as they were read, whatever the schema makes of them, so
// that any model can be trained from it, and the rows that could not be split,
// so that they are reported and counted as from the text.
//
// The file, all of it little-endian:
//
//	8 bytes   magic
//	4 bytes   version, then 4 of zero
//	chunks    up to 65,536 rows of one source each, column after column, each
//	          at a multiple of 8: see cacheColumn
//	values    of each column: their text, then (at a multiple of 8) one more
//	          uint64 than there are values: where each begins
//	footer    JSON: cacheFooter
//	32 bytes  where the footer is, its length, its xxHash64, magic
//
// Every column of every chunk has an xxHash64, which is compared when it is
// first used, together with whether all codes are of values that there are.
const (
	cacheMagic   = "\x89CTRD\r\n\x1a"
	cacheVersion = 1
	cacheHead    = 16
	cacheTail    = 32
)

// cacheChunkRows is the most rows of a chunk.
const cacheChunkRows = 1 << 16

// CacheSource is a file that a cache was made of.
type CacheSource struct {
	// Name is its path as seen from the cache's folder, with slashes.
	Name string `json:"name"`
	// Bytes and XXH64 are the length and the xxHash64 of its text,
	// decompressed.
	Bytes int64  `json:"bytes"`
	XXH64 uint64 `json:"xxh64,string"`
	// Size is the file's own, and Modified its time in nanoseconds since
	// 1970, so that it need not be read to see that it is the same; 0 where it
	// was no file.
	Size     int64 `json:"size,omitempty"`
	Modified int64 `json:"modified,omitempty"`
	// Rows is the number of rows, bad ones included.
	Rows int64 `json:"rows"`
}

// CacheInfo is what a cache says of itself.
type CacheInfo struct {
	// Layout is the order of the columns, of all sources.
	Layout Layout `json:"layout"`
	// Schema is what the text was read with; nil where nothing but a header
	// told what the columns are.
	Schema *Schema `json:"schema"`
	// Reading is how the text was read: see ReaderOptions. Its Schema is nil
	// where it was found from the text.
	Reading CacheReading  `json:"reading"`
	Sources []CacheSource `json:"sources"`
}

// CacheReading has the options that the text of a cache was read with.
type CacheReading struct {
	Schema   *Schema `json:"schema,omitempty"`
	Columns  Layout  `json:"columns,omitempty"`
	NoHeader bool    `json:"no_header,omitempty"`
	Comma    byte    `json:"comma,omitempty"`
}

// Rows gives the number of rows, bad ones included.
func (i *CacheInfo) Rows() (n int64) {
	for _, s := range i.Sources {
		n += s.Rows
	}
	return n
}

type cacheFooter struct {
	CacheInfo
	Values []cacheValues `json:"values"` // by column
	Chunks []cacheChunk  `json:"chunks"`
}

// cacheValues is where the values of a column are.
type cacheValues struct {
	N     int64  `json:"n"`
	At    int64  `json:"at"`
	Bytes int64  `json:"bytes"` // of the text
	Sum   uint64 `json:"xxh64,string"`
}

// cacheChunk is where some rows are.
type cacheChunk struct {
	Source int   `json:"source"`
	First  int64 `json:"first"` // number of the first row in its source
	Line   int64 `json:"line"`  // on which it begins
	// Numbered says that Line and Lines are numbers of rows in their file, as
	// columnar files have them.
	Numbered bool          `json:"numbered,omitempty"`
	Rows     int           `json:"rows"`
	At       int64         `json:"at"`
	Columns  []cacheColumn `json:"columns"`
	// Lines is a column of 32-bit numbers to be added to Line, where rows do
	// not stand on a line each.
	Lines *cacheColumn `json:"lines,omitempty"`
	Bad   []cacheBad   `json:"bad,omitempty"` // ascending

	places []int64 // of the columns, and of the lines
}

// cacheColumn is how a column of a chunk is written.
type cacheColumn struct {
	// Form is u8, u16 or u32: numbers of values; dec: numbers of 64 bits
	// whose decimal text the values are; or raw: the text of each row, after
	// the 32-bit numbers (one more than rows) of where it begins.
	Form string `json:"form"`
	Size int64  `json:"size"`
	Sum  uint64 `json:"xxh64,string"`
}

const (
	formU8  = "u8"
	formU16 = "u16"
	formU32 = "u32"
	formDec = "dec"
	formRaw = "raw"
)

// cacheBad is a row that could not be split.
type cacheBad struct {
	Row    int    `json:"row"` // in its chunk
	Column string `json:"column,omitempty"`
	Value  []byte `json:"value,omitempty"`
	Msg    string `json:"msg"`
}

// Cache is an open cache. It is safe for concurrent use. What it gives points
// into the file, which is mapped into memory where the system can, and lives
// until Close.
type Cache struct {
	name    string
	data    []byte
	unmap   func() error
	footer  cacheFooter
	columns []cacheDict
	checked [][]atomic.Bool // by chunk and column; the lines are one more
	lines   int             // their number
}

// cacheDict is the values of a column, once checked.
type cacheDict struct {
	once    sync.Once
	err     error
	bytes   []byte
	offsets []uint64
}

// errNoCache says that a file is something else.
var errNoCache = errors.New("not a cache of ctr")

// IsCache reports whether the file at path begins as a cache does. Anything
// but a regular file is none.
func IsCache(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() // only read
	var head [len(cacheMagic)]byte
	_, err = io.ReadFull(f, head[:])
	return err == nil && string(head[:]) == cacheMagic
}

// OpenCache opens a cache. It checks where everything lies; the rows
// themselves are checked as they are used. A file that is damaged, cut short,
// of another kind or of a later version is an error that says so.
func OpenCache(path string) (*Cache, error) {
	data, unmap, err := mapFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, bareError(err))
	}
	c, err := newCache(path, data)
	if err != nil {
		_ = unmap() // given up
		return nil, err
	}
	c.unmap = unmap
	return c, nil
}

// newCache makes a Cache of a file's bytes.
func newCache(name string, data []byte) (*Cache, error) {
	c := &Cache{name: name, data: data}
	footer, err := cacheFooterOf(data)
	if err == nil {
		if err = json.Unmarshal(footer, &c.footer); err == nil {
			err = c.check()
		}
		if err != nil {
			err = fmt.Errorf("footer: %w", err)
		}
	}
	if err != nil {
		return nil, WithHint(fmt.Errorf("%s: %w", name, err), "make it again: ctr prepare DATA --out "+name)
	}
	return c, nil
}

// cacheFooterOf finds the footer.
func cacheFooterOf(data []byte) ([]byte, error) {
	n := int64(len(data))
	if n < int64(len(cacheMagic)) || string(data[:len(cacheMagic)]) != cacheMagic {
		return nil, errNoCache
	}
	if n < cacheHead+cacheTail {
		return nil, fmt.Errorf("cut short after %d bytes", n)
	}
	if v := binary.LittleEndian.Uint32(data[8:]); v != cacheVersion {
		return nil, fmt.Errorf("version %d of a cache: want %d", v, cacheVersion)
	}
	tail := data[n-cacheTail:]
	if string(tail[24:]) != cacheMagic {
		return nil, errors.New("no end: it was cut short or damaged")
	}
	at, size := binary.LittleEndian.Uint64(tail), binary.LittleEndian.Uint64(tail[8:])
	if at < cacheHead || at > uint64(n-cacheTail) || size != uint64(n-cacheTail)-at {
		return nil, errors.New("footer: out of place: it was cut short or damaged")
	}
	footer := data[at : n-cacheTail]
	if sum64(footer) != binary.LittleEndian.Uint64(tail[16:]) {
		return nil, errors.New("footer: damaged: its checksum differs")
	}
	return footer, nil
}

// Close gives the file up.
func (c *Cache) Close() error {
	c.data = nil
	return c.unmap()
}

// Name gives the path that the cache was opened by.
func (c *Cache) Name() string { return c.name }

// Info gives what the cache says of itself. The caller must not change it.
func (c *Cache) Info() *CacheInfo { return &c.footer.CacheInfo }

// Size gives the length of the file in bytes.
func (c *Cache) Size() int64 { return int64(len(c.data)) }

// Chunks gives the number of chunks. They are in the order of the sources and
// of their rows.
func (c *Cache) Chunks() int { return len(c.footer.Chunks) }

// Chunk gives what rows chunk k holds: of which source, the number of the
// first one there (RowKey.Row), and how many.
func (c *Cache) Chunk(k int) (source int, first int64, rows int) {
	ch := &c.footer.Chunks[k]
	return ch.Source, ch.First, ch.Rows
}
