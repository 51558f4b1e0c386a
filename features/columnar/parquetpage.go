package columnar

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// Limits of a page. Writers make pages of about 1 MiB or 20,000 values.
const (
	maxPageHeader = 16 << 20
	maxPageValues = 1 << 24
	maxPage       = 1 << 30
	smallPage     = 64 << 20 // any page may declare so much
	maxRatio      = 1 << 10  // and otherwise so many times its packed size
)

// chunk is a column of a row group, read page by page.
type chunk struct {
	file     *parquetFile
	col      *parquetColumn
	at       int // of the column in the layout
	codec    format.CompressionCodec
	off, end int64
	left     int // values in pages not read yet
	dict     *page
	cur      *page
	used     int // values of cur given out
}

// take adds the next n values to s.
func (c *chunk) take(s segments, n int) (segments, error) {
	for row := 0; row < n; {
		if c.cur == nil || c.used == c.cur.n {
			if err := c.advance(); err != nil {
				return s, err
			}
			continue
		}
		k := min(n-row, c.cur.n-c.used)
		s = append(s, segment{c.cur, c.at, row, c.used, k})
		c.used += k
		row += k
	}
	return s, nil
}

// advance reads pages up to the next one of values.
func (c *chunk) advance() error {
	for {
		p, err := c.read()
		if err != nil {
			return err
		}
		switch p.head.Type {
		case format.DictionaryPage:
			if !p.head.DictionaryPageHeader.Valid || c.dict != nil {
				return damaged("dictionary page")
			}
			p.n = int(p.head.DictionaryPageHeader.V.NumValues)
			if p.n < 0 || p.n > maxPageValues {
				return damaged("dictionary of %d values: want 0..%d", p.n, maxPageValues)
			}
			c.dict = p
		case format.DataPage, format.DataPageV2:
			switch {
			case p.head.Type == format.DataPage && p.head.DataPageHeader.Valid:
				p.n = int(p.head.DataPageHeader.V.NumValues)
			case p.head.Type == format.DataPageV2 && p.head.DataPageHeaderV2.Valid:
				p.n = int(p.head.DataPageHeaderV2.V.NumValues)
			default:
				return damaged("page without a header")
			}
			if p.n < 0 || p.n > min(c.left, maxPageValues) {
				return damaged("page of %d values: want 0..%d", p.n, min(c.left, maxPageValues))
			}
			c.left -= p.n
			c.cur, c.used, p.dict = p, 0, c.dict
			return nil
		}
	}
}

// read reads the page at off, whatever it is.
func (c *chunk) read() (*page, error) {
	p := &page{col: c.col, codec: c.codec}
	ahead, length, err := c.header(&p.head)
	if err != nil {
		return nil, err
	}
	c.off += int64(length)
	size := int64(p.head.CompressedPageSize)
	if size < 0 || size > c.end-c.off {
		return nil, damaged("page of %d bytes: %d are left of the column", size, c.end-c.off)
	}
	declared := int64(p.head.UncompressedPageSize)
	if declared < 0 || declared > min(max(smallPage, size*maxRatio), maxPage) {
		return nil, damaged("page of %d bytes that declares %d", size, declared)
	}
	p.raw = make([]byte, size)
	have := copy(p.raw, ahead[length:])
	if err := c.file.readFull(p.raw[have:], c.off+int64(have)); err != nil {
		return nil, err
	}
	c.off += size
	return p, nil
}

// header decodes the page header at off. It gives its length, and what was
// read from there on.
func (c *chunk) header(h *format.PageHeader) (ahead []byte, length int, err error) {
	for want := int64(1 << 10); ; want *= 8 {
		want = min(want, c.end-c.off)
		if want == 0 {
			return nil, 0, damaged("%d values are missing", c.left)
		}
		ahead = make([]byte, want)
		if err := c.file.readFull(ahead, c.off); err != nil {
			return nil, 0, err
		}
		length, err = checkThrift(ahead)
		if err == nil {
			break
		}
		short := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if !short || want == c.end-c.off || want >= maxPageHeader {
			return nil, 0, damaged("page header: %v", err)
		}
	}
	var p thrift.CompactProtocol
	if err := thrift.NewDecoder(p.NewReaderFromBytes(ahead)).Decode(h); err != nil {
		return nil, 0, damaged("page header: %v", err)
	}
	return ahead, length, nil
}

// page is a page of a column. It is decoded once, when its values are asked
// for, by whichever goroutine asks first.
type page struct {
	col   *parquetColumn
	codec format.CompressionCodec
	head  format.PageHeader
	n     int    // values, nulls too
	dict  *page  // of the chunk; nil where it has none
	raw   []byte // nil once decoded

	once   sync.Once
	v      vector      // of a page of values
	common *dictionary // of a dictionary page
	err    error
}

// vector gives the values of a page of values.
func (p *page) vector() (vector, error) {
	p.once.Do(func() {
		p.err = guarded(p.decode)
		p.raw = nil
		if p.err == nil && p.v.len() != p.n {
			p.err = damaged("%d values: want %d", p.v.len(), p.n)
		}
	})
	return p.v, p.err
}

// dictionary gives the values of a dictionary page.
func (p *page) dictionary() (*dictionary, error) {
	p.once.Do(func() {
		p.err = guarded(p.decode)
		p.raw = nil
	})
	return p.common, p.err
}

func (p *page) decode() (err error) {
	// The checksum is of the page as it is stored; 0 stands for none.
	if p.head.CRC != 0 && crc32.ChecksumIEEE(p.raw) != uint32(p.head.CRC) {
		return damaged("page with a wrong checksum")
	}
	size := int(p.head.UncompressedPageSize)
	switch p.head.Type {
	case format.DictionaryPage:
		h := &p.head.DictionaryPageHeader.V
		if h.Encoding != format.Plain && h.Encoding != plainDictionary {
			return damaged("dictionary in encoding %v", h.Encoding)
		}
		data, err := unpack(p.codec, p.raw, size)
		if err != nil {
			return err
		}
		d := decoder{col: p.col, n: p.n, dense: p.n}
		v, err := d.plain(data)
		if err == nil {
			p.common = dictionaryOf(v)
		}
		return err
	case format.DataPage:
		h := &p.head.DataPageHeader.V
		data, err := unpack(p.codec, p.raw, size)
		if err != nil {
			return err
		}
		d := decoder{col: p.col, n: p.n, dense: p.n, dict: p.dict}
		if p.col.optional {
			if h.DefinitionLevelEncoding != format.RLE {
				return damaged("definition levels in encoding %v", h.DefinitionLevelEncoding)
			}
			if len(data) < 4 {
				return damaged("page without its levels")
			}
			length := int(uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24)
			if length > len(data)-4 {
				return damaged("page without its levels")
			}
			if err := d.levels(data[4 : 4+length]); err != nil {
				return err
			}
			data = data[4+length:]
		}
		p.v, err = d.values(h.Encoding, data)
		return err
	default:
		return p.decodeV2(size)
	}
}

// decodeV2 decodes a page whose levels stand before the packed part.
func (p *page) decodeV2(size int) (err error) {
	h := &p.head.DataPageHeaderV2.V
	levels := int(h.DefinitionLevelsByteLength)
	if h.RepetitionLevelsByteLength != 0 || levels < 0 || levels > min(len(p.raw), size) || int(h.NumRows) != p.n {
		return damaged("page without its levels")
	}
	data := p.raw[levels:]
	if !h.IsCompressed.Valid || h.IsCompressed.V {
		if data, err = unpack(p.codec, data, size-levels); err != nil {
			return err
		}
	}
	d := decoder{col: p.col, n: p.n, dense: p.n, dict: p.dict}
	if p.col.optional {
		if err := d.levels(p.raw[:levels]); err != nil {
			return err
		}
	}
	p.v, err = d.values(h.Encoding, data)
	return err
}

// zstdPages decodes pages of any goroutine.
var zstdPages = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxPage))
})

// unpack gives the size bytes that data was packed from.
func unpack(codec format.CompressionCodec, data []byte, size int) (out []byte, err error) {
	switch codec {
	case format.Uncompressed:
		out = data
	case format.Snappy:
		var n int
		if n, err = snappy.DecodedLen(data); err == nil {
			if n != size {
				return nil, damaged("page of %d bytes: want %d", n, size)
			}
			out, err = snappy.Decode(nil, data)
		}
	case format.Gzip:
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(data)); err == nil {
			out = make([]byte, size)
			if _, err = io.ReadFull(z, out); err == nil {
				_, err = io.ReadFull(z, make([]byte, 1)) // the checksum, and no more
				if errors.Is(err, io.EOF) {
					err = nil
				} else if err == nil {
					err = errors.New("longer than declared")
				}
			}
		}
	case format.Zstd:
		var z *zstd.Decoder
		var head zstd.Header
		if z, err = zstdPages(); err == nil {
			err = head.Decode(data)
		}
		if err == nil && head.HasFCS && head.FrameContentSize > uint64(size) {
			return nil, damaged("page of %d bytes: want %d", head.FrameContentSize, size)
		}
		if err == nil {
			out, err = z.DecodeAll(data, make([]byte, 0, size))
		}
	case format.Lz4Raw:
		var n int
		out = make([]byte, size)
		if n, err = lz4.UncompressBlock(data, out); err == nil {
			out = out[:n]
		}
	default:
		return nil, errCodec(codec)
	}
	if err != nil {
		return nil, damaged("page: %v", err)
	}
	if len(out) != size {
		return nil, damaged("page of %d bytes: want %d", len(out), size)
	}
	return out, nil
}
