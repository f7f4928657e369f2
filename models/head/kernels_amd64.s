#include "textflag.h"

// Both kernels keep the eight classes of a block in Y0–Y7 and read a tap once,
// eight places at a time, widening them from float16 in Y8.

#define WEIGH(offset, broadcast, sum) \
	VBROADCASTSS offset(BX), broadcast; \
	VFMADD231PS  broadcast, Y8, sum

#define CLEAR \
	VXORPS Y0, Y0, Y0; \
	VXORPS Y1, Y1, Y1; \
	VXORPS Y2, Y2, Y2; \
	VXORPS Y3, Y3, Y3; \
	VXORPS Y4, Y4, Y4; \
	VXORPS Y5, Y5, Y5; \
	VXORPS Y6, Y6, Y6; \
	VXORPS Y7, Y7, Y7

// func mapsAVX2(out *float32, stride int, tap *uint16, row, channels int, w *float32)
TEXT ·mapsAVX2(SB), NOSPLIT, $0-48
	MOVQ out+0(FP), DI
	MOVQ stride+8(FP), R8
	SHLQ $2, R8            // bytes
	MOVQ tap+16(FP), SI
	MOVQ row+24(FP), R9
	MOVQ R9, R12
	SHLQ $1, R12           // bytes of a row of the tap
	MOVQ channels+32(FP), R10
	MOVQ w+40(FP), R11

places:
	CLEAR
	MOVQ SI, AX
	MOVQ R11, BX
	MOVQ R10, CX

channel:
	VCVTPH2PS (AX), Y8
	WEIGH(0, Y9, Y0)
	WEIGH(4, Y10, Y1)
	WEIGH(8, Y11, Y2)
	WEIGH(12, Y12, Y3)
	WEIGH(16, Y13, Y4)
	WEIGH(20, Y14, Y5)
	WEIGH(24, Y15, Y6)
	WEIGH(28, Y9, Y7)
	ADDQ R12, AX
	ADDQ $32, BX
	DECQ CX
	JNZ  channel

	MOVQ    DI, DX
	VMOVUPS Y0, (DX)
	ADDQ    R8, DX
	VMOVUPS Y1, (DX)
	ADDQ    R8, DX
	VMOVUPS Y2, (DX)
	ADDQ    R8, DX
	VMOVUPS Y3, (DX)
	ADDQ    R8, DX
	VMOVUPS Y4, (DX)
	ADDQ    R8, DX
	VMOVUPS Y5, (DX)
	ADDQ    R8, DX
	VMOVUPS Y6, (DX)
	ADDQ    R8, DX
	VMOVUPS Y7, (DX)

	ADDQ $16, SI
	ADDQ $32, DI
	SUBQ $8, R9
	JNZ  places
	VZEROUPPER
	RET

// func gradientsAVX2(into, deltas *float32, row int, tap *uint16, channels int)
TEXT ·gradientsAVX2(SB), NOSPLIT, $0-40
	MOVQ into+0(FP), DI
	MOVQ deltas+8(FP), SI
	MOVQ row+16(FP), R9
	MOVQ R9, R8
	SHLQ $2, R8            // bytes of a row of deltas
	MOVQ tap+24(FP), AX
	MOVQ channels+32(FP), R10
	LEAQ (R8)(R8*2), R11   // three rows

each:
	CLEAR
	MOVQ SI, BX            // classes 0–2
	LEAQ (BX)(R11*1), R13  // 3–5
	LEAQ (R13)(R11*1), R14 // 6–7
	MOVQ R9, CX

eight:
	VCVTPH2PS   (AX), Y8
	VFMADD231PS (BX), Y8, Y0
	VFMADD231PS (BX)(R8*1), Y8, Y1
	VFMADD231PS (BX)(R8*2), Y8, Y2
	VFMADD231PS (R13), Y8, Y3
	VFMADD231PS (R13)(R8*1), Y8, Y4
	VFMADD231PS (R13)(R8*2), Y8, Y5
	VFMADD231PS (R14), Y8, Y6
	VFMADD231PS (R14)(R8*1), Y8, Y7
	ADDQ $16, AX
	ADDQ $32, BX
	ADDQ $32, R13
	ADDQ $32, R14
	SUBQ $8, CX
	JNZ  eight

	// The sum of each of the eight registers, in order.
	VHADDPS    Y1, Y0, Y0
	VHADDPS    Y3, Y2, Y2
	VHADDPS    Y5, Y4, Y4
	VHADDPS    Y7, Y6, Y6
	VHADDPS    Y2, Y0, Y0
	VHADDPS    Y6, Y4, Y4
	VPERM2F128 $0x20, Y4, Y0, Y8
	VPERM2F128 $0x31, Y4, Y0, Y9
	VADDPS     Y9, Y8, Y8
	VADDPS     (DI), Y8, Y8
	VMOVUPS    Y8, (DI)
	ADDQ       $32, DI
	DECQ       R10
	JNZ        each
	VZEROUPPER
	RET
