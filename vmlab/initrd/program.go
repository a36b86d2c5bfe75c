package initrd

import "encoding/binary"

// Program is a list of system calls for Linux on x86-64. It has one variable, for a
// result that later calls need.
type Program struct {
	code, data []byte
}

// Arg is an argument of a system call.
type Arg struct {
	value  uint64
	result bool
}

// Number is an argument as it is.
func Number(n int64) Arg { return Arg{value: uint64(n)} }

// Result is what was kept of an earlier call.
func Result() Arg { return Arg{result: true} }

// Text is the address of a text that ends with a zero.
func (p *Program) Text(s string) Arg { return p.bytes(append([]byte(s), 0)) }

// Words is the address of a list of addresses and numbers.
func (p *Program) Words(list ...Arg) Arg {
	var b []byte
	for _, a := range list {
		b = binary.LittleEndian.AppendUint64(b, a.value)
	}
	return p.bytes(b)
}

// bytes puts constants where the program has them, at multiples of a word.
func (p *Program) bytes(b []byte) Arg {
	for len(p.data)%8 != 0 {
		p.data = append(p.data, 0)
	}
	at := uint64(dataAt + len(p.data))
	p.data = append(p.data, b...)
	return Arg{value: at}
}

// The first bytes of `mov REGISTER, constant` and of `mov REGISTER, r12` for the
// registers that arguments of system calls are in: rdi, rsi, rdx, r10, r8, r9.
// (System V ABI for AMD64, A.2.1)
var (
	loadConstant = [...][2]byte{{0x48, 0xbf}, {0x48, 0xbe}, {0x48, 0xba}, {0x49, 0xba}, {0x49, 0xb8}, {0x49, 0xb9}}
	loadResult   = [...][3]byte{{0x4c, 0x89, 0xe7}, {0x4c, 0x89, 0xe6}, {0x4c, 0x89, 0xe2}, {0x4d, 0x89, 0xe2}, {0x4d, 0x89, 0xe0}, {0x4d, 0x89, 0xe1}}
)

// Call makes a system call with up to six arguments.
func (p *Program) Call(number int, args ...Arg) {
	for i, a := range args {
		if a.result {
			p.code = append(p.code, loadResult[i][:]...)
			continue
		}
		p.code = append(p.code, loadConstant[i][:]...)
		p.code = binary.LittleEndian.AppendUint64(p.code, a.value)
	}
	p.code = append(p.code, 0xb8) // mov eax, number
	p.code = binary.LittleEndian.AppendUint32(p.code, uint32(number))
	p.code = append(p.code, 0x0f, 0x05) // syscall
}

// Keep keeps the last call's result for those to come.
func (p *Program) Keep() { p.code = append(p.code, 0x49, 0x89, 0xc4) } // mov r12, rax

// IfFailed does something if the last call has failed.
func (p *Program) IfFailed(do func()) {
	p.code = append(p.code, 0x48, 0x85, 0xc0) // test rax, rax
	over := p.jump(0x0f, 0x89)                // jns
	do()
	p.land(over)
}

// Retry makes a call until it doesn't fail, so often at most, with something done
// after each failure. The last call's result is what counts then.
func (p *Program) Retry(times uint32, call, between func()) {
	p.code = append(p.code, 0x41, 0xbd) // mov r13d, times
	p.code = binary.LittleEndian.AppendUint32(p.code, times)
	again := len(p.code)
	call()
	p.code = append(p.code, 0x49, 0x89, 0xc6) // mov r14, rax
	p.code = append(p.code, 0x48, 0x85, 0xc0) // test rax, rax
	done := p.jump(0x0f, 0x89)                // jns
	between()
	p.code = append(p.code, 0x41, 0xff, 0xcd) // dec r13d
	back := p.jump(0x0f, 0x85)                // jnz
	binary.LittleEndian.PutUint32(p.code[back-4:], uint32(int32(again-back)))
	p.land(done)
	p.code = append(p.code, 0x4c, 0x89, 0xf0) // mov rax, r14
}

// jump begins a jump whose target is not known yet, and returns where it ends.
func (p *Program) jump(code ...byte) int {
	p.code = append(append(p.code, code...), 0, 0, 0, 0)
	return len(p.code)
}

// land lets a jump that ends there lead here.
func (p *Program) land(jump int) {
	binary.LittleEndian.PutUint32(p.code[jump-4:], uint32(len(p.code)-jump))
}

// Where an executable has its parts in memory.
const (
	codeAt   = 0x400000
	dataAt   = 0x600000
	pageSize = 4096
)

// Sizes of what is before the code. (elf(5))
const (
	headBytes = 64
	partBytes = 56
)

// Executable is the program as a file.
func (p *Program) Executable() []byte {
	start := headBytes + 2*partBytes
	size := start + len(p.code)
	dataFrom := (size + pageSize - 1) / pageSize * pageSize
	le := binary.LittleEndian
	b := append([]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, make([]byte, 9)...) // 64 bits, little endian
	b = le.AppendUint16(b, 2)                                             // ET_EXEC
	b = le.AppendUint16(b, 62)                                            // EM_X86_64
	b = le.AppendUint32(b, 1)
	b = le.AppendUint64(b, uint64(codeAt+start))
	b = le.AppendUint64(b, headBytes)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, 0)
	for _, n := range []uint16{headBytes, partBytes, 2, 0, 0, 0} {
		b = le.AppendUint16(b, n)
	}
	part := func(flags uint32, from, at, size int) {
		b = le.AppendUint32(b, 1) // PT_LOAD
		b = le.AppendUint32(b, flags)
		for _, n := range []int{from, at, at, size, size, pageSize} {
			b = le.AppendUint64(b, uint64(n))
		}
	}
	part(5, 0, codeAt, size)                  // read, execute
	part(6, dataFrom, dataAt, len(p.data)+16) // read, write
	b = append(b, p.code...)
	b = append(b, make([]byte, dataFrom-len(b))...)
	return append(append(b, p.data...), make([]byte, 16)...)
}
