package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func render(t *testing.T, f *File, c *Comparison) string {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, f, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPage: the page of a fixed file, byte for byte.
func TestPage(t *testing.T) {
	f := sampleFile(1)
	f.Quick = true
	golden(t, "page.html", render(t, f, nil))
}

// TestPageIsWhole: it needs nothing from elsewhere, runs nothing, and is well-formed.
func TestPageIsWhole(t *testing.T) {
	c, err := Compare(smallFile(1.2), smallFile(1), false)
	if err != nil {
		t.Fatal(err)
	}
	empty := &File{Broken: map[string]string{KindKV: "interrupted <before> it began"}}
	for name, text := range map[string]string{"full": render(t, sampleFile(1), c), "empty": render(t, empty, nil)} {
		for _, bad := range []string{"<script", "http:", "https:", "url(", "@import", "NaN", "Inf", "ZgotmplZ", "%!", "<nil>"} {
			if at := strings.Index(text, bad); at >= 0 {
				t.Errorf("%s: %q in %q", name, bad, text[max(0, at-100):min(len(text), at+100)])
			}
		}
		_, body, _ := strings.Cut(text, "<body>")
		body, _, _ = strings.Cut(body, "</body>")
		d := xml.NewDecoder(strings.NewReader("<body>" + strings.ReplaceAll(body, "&nbsp;", " ") + "</body>"))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	text := render(t, sampleFile(1), c)
	for _, want := range []string{"What changed since", "Latency against load", "drydock p99.9", "a round under pressure", "the floor", "Leader killed", "over the batch", "Free GPU of no use", "It is wrong if", "sim</b> is not whole"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
}

// TestLoadPoints: where no round of a cell was calm, all are shown, at their rate.
func TestLoadPoints(t *testing.T) {
	r := sampleFile(1).KV.Report
	for i := range r.Cells {
		for k := range r.Cells[i].Samples {
			if r.Cells[i].Load == 0.5 || r.Cells[i].Load == 0.9 {
				r.Cells[i].Samples[k].Foreign = 0.9
			}
		}
	}
	list := loadPoints(r, 3, "put", "drydock", kvMeasures[2], true)
	if len(list) != 3 || list[0].X != 4000 || list[1].X != 5600 || list[2].X != 7200 {
		t.Errorf("%+v", list)
	}
}

// TestPageEscapes: what a file says is no markup.
func TestPageEscapes(t *testing.T) {
	f := sampleFile(1)
	f.Product = `<b onload="x">`
	f.KV.Report.Systems[1].Version = "</svg><script>"
	f.Scheduler.Replays[0].Trace = `"><script>`
	if text := render(t, f, nil); strings.Contains(text, "<script") || strings.Contains(text, "<b onload") {
		t.Error("a file's words are taken for markup")
	}
}

// TestAxis: places are within the drawing, ticks are round and few.
func TestAxis(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		log    bool
		want   string
	}{
		{[]float64{0, 95}, false, "0 20 40 60 80"},
		{[]float64{18000}, false, "0 5000 10k 15k"},
		{[]float64{0.3, 4}, true, "0.5 1 2 5"},
		{[]float64{1, 512}, true, "1 3 10 30 100 300"},
		{[]float64{100, 100000}, true, "100 300 1000 3000 10k 30k 100k"},
		{nil, false, "0 0.2 0.4 0.6 0.8 1"},
		{nil, true, "0.8 1"},
		{[]float64{0, -1}, true, "0.8 1"},
		{[]float64{math.Inf(1), 1e308, math.NaN(), 1e-300, 2, 3}, true, "2 3"},
	} {
		a := newAxis(tt.values, 10, 110, tt.log)
		var words []string
		for _, v := range a.ticks(7) {
			words = append(words, thousands(v))
			if at := a.at(v); at < 10 || at > 110 {
				t.Errorf("%v: %v is at %v", tt.values, v, at)
			}
		}
		if got := strings.Join(words, " "); got != tt.want {
			t.Errorf("%v: ticks %s, want %s", tt.values, got, tt.want)
		}
	}
}
