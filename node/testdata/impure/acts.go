package impure

import (
	"context"                // want "import: the core may not import context"
	cryptorand "crypto/rand" // want "import: .*crypto/rand"
	"fmt"
	"hash/maphash"        // want "import: .*hash/maphash"
	"log"                 // want "import: .*log"
	"math/rand"           // want "import: .*math/rand"
	randv2 "math/rand/v2" // want "import: .*math/rand/v2"
	"net"                 // want "import: .*net"
	"net/http"            // want "import: .*net/http"
	"os"                  // want "import: .*os"
	"reflect"             // want "import: .*reflect"
	"runtime"             // want "import: .*runtime"
	"sync"                // want "import: .*sync"
	"time"
	_ "unsafe" // want "import: .*unsafe"

	_ "drydock/node/checkpoint"      // want "import: .*drydock/node/checkpoint"
	_ "drydock/sim/event"            // want "import: .*drydock/sim/event"
	_ "github.com/google/go-cmp/cmp" // want "import: .*go-cmp"
)

func touch() {
	var ctx context.Context
	var conn net.Conn
	var client http.Client
	var lock sync.Mutex
	_, _, _ = ctx, conn, &client
	lock.Lock()
	log.Print("x")
	os.Getpid()
	runtime.GC()
	cryptorand.Text()
}

func clocks() {
	_ = time.Now()                         // want "clock: use of time.Now"
	_ = time.Since(time.Time{})            // want "clock: use of time.Since"
	_ = time.Until(time.Time{})            // want "clock: use of time.Until"
	time.Sleep(1)                          // want "clock: use of time.Sleep"
	_ = time.NewTimer(1)                   // want "clock: use of time.NewTimer"
	_ = time.NewTicker(1)                  // want "clock: use of time.NewTicker"
	_ = time.After(1)                      // want "clock: use of time.After"
	_ = time.AfterFunc(1, func() {})       // want "clock: use of time.AfterFunc"
	now := time.Now                        // want "clock: use of time.Now"
	_ = now().Local()                      // want "time zone: use of .time.Time..Local"
	_ = time.Unix(0, 0)                    // want "time zone: time.Unix without .UTC"
	_ = time.UnixMilli(0).String()         // want "time zone: time.UnixMilli without .UTC"
	_ = time.Time{}.In(time.Local)         // want "time zone: use of time.Local"
	_, _ = time.LoadLocation("Asia/Tokyo") // want "time zone: use of time.LoadLocation"
}

func draws() {
	_ = rand.Int()         // want "global randomness: use of math/rand.Int"
	_ = randv2.IntN(3)     // want "global randomness: use of math/rand/v2.IntN"
	randv2.Shuffle(0, nil) // want "global randomness: use of math/rand/v2.Shuffle"
	_ = maphash.MakeSeed() // the import is reported
	_ = randv2.New(randv2.NewPCG(1, 2)).IntN(3)
}

func prints(v any) string {
	fmt.Println(v)                   // want "output: use of fmt.Println"
	fmt.Printf("%d", 1)              // want "output: use of fmt.Printf"
	println(v)                       // want "output: call of println"
	_ = reflect.ValueOf(v).MapKeys() // want "map order: use of .reflect.Value..MapKeys"
	return fmt.Sprintf("at %p", &v)  // want "address: %p in a format"
}
