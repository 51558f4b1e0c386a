#include "textflag.h"

// func prefetch(table []slot, codes []uint32)
TEXT ·prefetch(SB), NOSPLIT, $0-48
	MOVQ table_base+0(FP), AX
	MOVQ codes_base+24(FP), BX
	MOVQ codes_len+32(FP), CX
	TESTQ CX, CX
	JEQ  done
loop:
	MOVL (BX), DX
	PREFETCHT0 (AX)(DX*8)
	ADDQ $4, BX
	DECQ CX
	JNE  loop
done:
	RET
