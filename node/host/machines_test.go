package host_test

import (
	"context"
	"testing"
	"time"

	"drydock/node/consensus"
	"drydock/node/fleet"
	"drydock/node/link"
)

// sent is a frame for a machine.
type sent struct {
	machine string
	frame   []byte
}

type toMachines chan sent

func (c toMachines) Send(machine string, frame []byte) {
	select {
	case c <- sent{machine, frame}:
	default:
	}
}

const machineID = "0123456789abcdef0123456789abcdef"

func TestAMachineIsHeardAndAnswered(t *testing.T) {
	h, _ := start(t, t.TempDir())
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	hello := link.Frame{Cluster: 1, Machine: machineID, Hello: &link.Hello{Nonce: 5, Machine: fleet.Machine{ID: machineID, Boot: machineID, Name: "m"}}}
	h.ReceiveFromMachine(machineID, hello.Encode()) // nobody takes the answer
	frames := make(toMachines, 16)
	h.SetMachines(frames)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			h.ReceiveFromMachine(machineID, hello.Encode())
			continue
		case s := <-frames:
			f, err := link.Decode(s.frame)
			if err != nil || s.machine != machineID || f.Machine != machineID {
				t.Fatalf("%+v, %v", s, err)
			}
			if f.Welcome == nil {
				continue // it doesn't lead yet
			}
			if f.Welcome.Nonce != 5 || f.Welcome.Lease == 0 {
				t.Errorf("%+v", f.Welcome)
			}
		case <-ctx.Done():
			t.Fatal("no welcome")
		}
		break
	}
	var machines []string
	a := h.ReadFleet(ctx, false, func(s *fleet.Store) {
		for m := range s.MachinesFrom(0) {
			machines = append(machines, m.Name)
		}
	})
	if a.Status != consensus.Done || len(machines) != 1 || machines[0] != "m" {
		t.Errorf("%v %s: machines %v", a.Status, a.Reason, machines)
	}
}
