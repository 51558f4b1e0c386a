#include "textflag.h"

// The AVX form of the kernels of kernels.go, which say what is computed: the
// same operations in the same order, eight lanes at a time. No instruction
// here rounds differently from Go's: no fused multiply-add, no approximate
// root or reciprocal.
//
// Registers: DI base, SI rows, AX rows of the row to fetch early, DX blocks, CX
// blocks left, R8 and R9 the two pairs of fields of a block (16 bytes of rows a
// pair), R10-R13 the lines of the four fields' slots.

// ROWS sets R10-R13 to where the slots of the four fields of a block begin.
#define ROWS \
	MOVL (DX), R8         \
	MOVL 4(DX), R9        \
	MOVQ (SI)(R8*1), R10  \
	MOVQ 8(SI)(R8*1), R11 \
	MOVQ (SI)(R9*1), R12  \
	MOVQ 8(SI)(R9*1), R13 \
	ADDQ DI, R10          \
	ADDQ DI, R11          \
	ADDQ DI, R12          \
	ADDQ DI, R13

// EARLY1 asks for one line of a slot of the row that comes next.
#define EARLY1(at, row, line, scale) \
	MOVQ at(AX)(row*1), BX         \
	ADDQ DI, BX                    \
	PREFETCHT0 (BX)(line*scale)

// EARLY asks for the four lines of a block.
#define EARLY(scale) \
	EARLY1(0, R8, R9, scale) \
	EARLY1(8, R8, R9, scale) \
	EARLY1(0, R9, R8, scale) \
	EARLY1(8, R9, R8, scale)

// CROSS adds the products of a block to Y0 and Y1.
#define CROSS(scale) \
	VMOVUPS (R10)(R9*scale), Y2     \
	VMOVUPS (R11)(R9*scale), Y3     \
	VMOVUPS (R12)(R8*scale), Y4     \
	VMOVUPS (R13)(R8*scale), Y5     \
	VPERM2F128 $0x20, Y5, Y4, Y6    \
	VPERM2F128 $0x31, Y5, Y4, Y7    \
	VMULPS Y6, Y2, Y6               \
	VMULPS Y7, Y3, Y7               \
	VADDPS Y6, Y0, Y0               \
	VADDPS Y7, Y1, Y1

// WITHIN adds the products of a pair of fields with itself: X15 is the
// constant that linear weights are multiplied by, in lane 0; Y14 is 0.
#define WITHIN(scale) \
	MOVL (DX), R8                   \
	MOVQ (SI)(R8*1), R10            \
	MOVQ 8(SI)(R8*1), R11           \
	ADDQ DI, R10                    \
	ADDQ DI, R11                    \
	VMOVUPS (R10)(R8*scale), Y2     \
	VMOVUPS (R11)(R8*scale), Y3     \
	VINSERTF128 $1, X3, Y15, Y6     \
	VMULSS 4(DX), X15, X7           \
	VINSERTF128 $1, X7, Y14, Y7     \
	VMULPS Y6, Y2, Y6               \
	VMULPS Y7, Y3, Y7               \
	VADDPS Y6, Y0, Y0               \
	VADDPS Y7, Y1, Y1

// LINEAR sets up X15 and Y14 of the constant at e.
#define LINEAR(e) \
	VMOVSS e, X15          \
	VXORPS Y14, Y14, Y14

// LANES adds up the lanes of Y0 and Y1 into X0.
#define LANES \
	VADDPS Y1, Y0, Y0         \
	VEXTRACTF128 $1, Y0, X1   \
	VADDPS X1, X0, X0         \
	VMOVHLPS X0, X0, X1       \
	VADDPS X1, X0, X0         \
	VMOVSHDUP X0, X1          \
	VADDSS X1, X0, X0

// func scoreAVX(base *float32, rows, next *uint64, cross *uint32, nCross int, within *uint32, nWithin int, e float32) float32
TEXT ·scoreAVX(SB), NOSPLIT, $0-68
	MOVQ base+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ next+16(FP), AX
	MOVQ cross+24(FP), DX
	MOVQ nCross+32(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	TESTQ CX, CX
	JZ score_within
score_cross:
	ROWS
	EARLY(2)
	CROSS(2)
	ADDQ $8, DX
	DECQ CX
	JNZ score_cross
score_within:
	MOVQ within+40(FP), DX
	MOVQ nWithin+48(FP), CX
	LINEAR(e+56(FP))
	TESTQ CX, CX
	JZ score_end
score_self:
	WITHIN(2)
	ADDQ $8, DX
	DECQ CX
	JNZ score_self
score_end:
	LANES
	VMOVSS X0, ret+64(FP)
	VZEROUPPER
	RET

// func forwardAVX(base *float32, rows *uint64, cross *uint32, nCross int, within *uint32, nWithin int, e float32) float32
TEXT ·forwardAVX(SB), NOSPLIT, $0-60
	MOVQ base+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ cross+16(FP), DX
	MOVQ nCross+24(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	TESTQ CX, CX
	JZ forward_within
forward_cross:
	ROWS
	CROSS(4)
	ADDQ $8, DX
	DECQ CX
	JNZ forward_cross
forward_within:
	MOVQ within+32(FP), DX
	MOVQ nWithin+40(FP), CX
	LINEAR(e+48(FP))
	TESTQ CX, CX
	JZ forward_end
forward_self:
	WITHIN(4)
	ADDQ $8, DX
	DECQ CX
	JNZ forward_self
forward_end:
	LANES
	VMOVSS X0, ret+56(FP)
	VZEROUPPER
	RET

// STEP moves eight weights, in w and at a line of a row, by their gradients: Y8 has what
// the prediction's derivative by them is. Y10-Y14: kappa, lambda, eta, the
// greatest weight and the least.
#define STEP(w, row, line) \
	VMULPS Y10, Y8, Y8      \
	VMULPS Y11, w, Y9       \
	VADDPS Y8, Y9, Y8       \
	VMULPS Y8, Y8, Y9       \
	VADDPS 32(row)(line*4), Y9, Y9   \
	VMOVUPS Y9, 32(row)(line*4)      \
	VSQRTPS Y9, Y9          \
	VMULPS Y12, Y8, Y8      \
	VDIVPS Y9, Y8, Y8       \
	VSUBPS Y8, w, w         \
	VMINPS Y13, w, w        \
	VMAXPS Y14, w, w        \
	VMOVUPS w, (row)(line*4)

// func updateAVX(base *float32, rows, next *uint64, cross *uint32, nCross int, within *uint32, nWithin int, s *step)
TEXT ·updateAVX(SB), NOSPLIT, $0-64
	MOVQ base+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ next+16(FP), AX
	MOVQ cross+24(FP), DX
	MOVQ nCross+32(FP), CX
	MOVQ s+56(FP), BX
	VBROADCASTSS 0(BX), Y10
	VBROADCASTSS 4(BX), Y11
	VBROADCASTSS 8(BX), Y12
	VBROADCASTSS 12(BX), Y13
	VBROADCASTSS 16(BX), Y14
	VMOVSS 20(BX), X15
	TESTQ CX, CX
	JZ update_within
update_cross:
	ROWS
	EARLY(4)
	VMOVUPS (R10)(R9*4), Y2
	VMOVUPS (R11)(R9*4), Y3
	VMOVUPS (R12)(R8*4), Y4
	VMOVUPS (R13)(R8*4), Y5
	VPERM2F128 $0x20, Y3, Y2, Y6
	VPERM2F128 $0x31, Y3, Y2, Y7
	VPERM2F128 $0x20, Y5, Y4, Y8
	STEP(Y2, R10, R9)
	VPERM2F128 $0x31, Y5, Y4, Y8
	STEP(Y3, R11, R9)
	VMOVAPS Y6, Y8
	STEP(Y4, R12, R8)
	VMOVAPS Y7, Y8
	STEP(Y5, R13, R8)
	ADDQ $8, DX
	DECQ CX
	JNZ update_cross
update_within:
	MOVQ within+40(FP), DX
	MOVQ nWithin+48(FP), CX
	TESTQ CX, CX
	JZ update_end
update_self:
	MOVL (DX), R8
	MOVQ (SI)(R8*1), R10
	MOVQ 8(SI)(R8*1), R11
	ADDQ DI, R10
	ADDQ DI, R11
	EARLY1(0, R8, R8, 4)
	EARLY1(8, R8, R8, 4)
	VMOVUPS (R10)(R8*4), Y2
	VMOVUPS (R11)(R8*4), Y3
	VINSERTF128 $1, X3, Y15, Y8
	VEXTRACTF128 $1, Y2, X6
	VMULSS 4(DX), X15, X7
	VINSERTF128 $1, X7, Y6, Y6
	STEP(Y2, R10, R8)
	VMOVAPS Y6, Y8
	STEP(Y3, R11, R8)
	ADDQ $8, DX
	DECQ CX
	JNZ update_self
update_end:
	VZEROUPPER
	RET

// func momentsAVX(base *float32, rows *uint64, n int, m *moments)
TEXT ·momentsAVX(SB), NOSPLIT, $0-32
	MOVQ base+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ m+24(FP), DX
	VMOVUPS (DX), Y0
	VMOVUPS 32(DX), Y1
moments_row:
	MOVQ (SI), R10
	VMOVUPS (DI)(R10*1), Y2
	VADDPS Y2, Y0, Y0
	VMULPS Y2, Y2, Y2
	VADDPS Y2, Y1, Y1
	ADDQ $8, SI
	DECQ CX
	JNZ moments_row
	VMOVUPS Y0, (DX)
	VMOVUPS Y1, 32(DX)
	VZEROUPPER
	RET

// func lanesAVX(base *float32, rows, next *uint64, n int, sums, mask, constant *float32, s *step)
TEXT ·lanesAVX(SB), NOSPLIT, $0-64
	MOVQ base+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ next+16(FP), AX
	MOVQ n+24(FP), CX
	MOVQ sums+32(FP), DX
	VMOVUPS (DX), Y3
	MOVQ mask+40(FP), DX
	VMOVUPS (DX), Y4
	MOVQ constant+48(FP), DX
	VMOVUPS (DX), Y5
	MOVQ s+56(FP), BX
	VBROADCASTSS 0(BX), Y10
	VBROADCASTSS 4(BX), Y11
	VBROADCASTSS 8(BX), Y12
	VBROADCASTSS 12(BX), Y13
	VBROADCASTSS 16(BX), Y14
	XORQ R8, R8
lanes_row:
	MOVQ (AX), BX
	PREFETCHT0 (DI)(BX*1)
	MOVQ (SI), R10
	ADDQ DI, R10
	VMOVUPS (R10), Y2
	VSUBPS Y2, Y3, Y8
	VMULPS Y4, Y8, Y8
	VADDPS Y5, Y8, Y8
	STEP(Y2, R10, R8)
	ADDQ $8, SI
	ADDQ $8, AX
	DECQ CX
	JNZ lanes_row
	VZEROUPPER
	RET
