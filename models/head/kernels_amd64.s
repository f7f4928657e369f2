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

DATA exponent<>+0(SB)/4, $-87.0
DATA exponent<>+4(SB)/4, $1.44269504
DATA exponent<>+8(SB)/4, $0.693359375
DATA exponent<>+12(SB)/4, $-2.12194440e-4
DATA exponent<>+16(SB)/4, $1.9875691500e-4
DATA exponent<>+20(SB)/4, $1.3981999507e-3
DATA exponent<>+24(SB)/4, $8.3334519073e-3
DATA exponent<>+28(SB)/4, $4.1665795894e-2
DATA exponent<>+32(SB)/4, $1.6666665459e-1
DATA exponent<>+36(SB)/4, $5.0000001201e-1
DATA exponent<>+40(SB)/4, $1.0
GLOBL exponent<>(SB), RODATA|NOPTR, $44

// func exponentialsAVX2(share, heat *float32, n int, sharp float32) (top, sum float32)
TEXT ·exponentialsAVX2(SB), NOSPLIT, $0-40
	MOVQ share+0(FP), DI
	MOVQ heat+8(FP), SI
	MOVQ n+16(FP), CX

	// Y0: the largest, in every lane.
	VMOVUPS (SI), Y0
	MOVQ    SI, AX
	MOVQ    CX, BX

largest:
	VMAXPS (AX), Y0, Y0
	ADDQ   $32, AX
	SUBQ   $8, BX
	JNZ    largest
	VPERM2F128 $1, Y0, Y0, Y1
	VMAXPS     Y1, Y0, Y0
	VPERMILPS  $0x4e, Y0, Y1
	VMAXPS     Y1, Y0, Y0
	VPERMILPS  $0xb1, Y0, Y1
	VMAXPS     Y1, Y0, Y0
	MOVSS      X0, top+32(FP)

	VBROADCASTSS sharp+24(FP), Y1
	VXORPS       Y2, Y2, Y2                // sum
	VBROADCASTSS exponent<>+0(SB), Y3
	VBROADCASTSS exponent<>+4(SB), Y4
	VBROADCASTSS exponent<>+8(SB), Y5
	VBROADCASTSS exponent<>+12(SB), Y6
	VBROADCASTSS exponent<>+16(SB), Y7
	VBROADCASTSS exponent<>+20(SB), Y8
	VBROADCASTSS exponent<>+24(SB), Y9
	VBROADCASTSS exponent<>+28(SB), Y10
	VBROADCASTSS exponent<>+40(SB), Y11

eight:
	VMOVUPS      (SI), Y12
	VSUBPS       Y0, Y12, Y12
	VMULPS       Y1, Y12, Y12
	VMAXPS       Y3, Y12, Y12              // x
	VMULPS       Y4, Y12, Y13
	VROUNDPS     $0, Y13, Y13              // n
	VFNMADD231PS Y5, Y13, Y12
	VFNMADD231PS Y6, Y13, Y12              // r
	VMOVAPS      Y7, Y14
	VFMADD213PS  Y8, Y12, Y14
	VFMADD213PS  Y9, Y12, Y14
	VFMADD213PS  Y10, Y12, Y14
	VBROADCASTSS exponent<>+32(SB), Y15
	VFMADD213PS  Y15, Y12, Y14
	VBROADCASTSS exponent<>+36(SB), Y15
	VFMADD213PS  Y15, Y12, Y14
	VMULPS       Y12, Y12, Y15
	VADDPS       Y11, Y12, Y12
	VFMADD213PS  Y12, Y15, Y14             // e^r
	VCVTPS2DQ    Y13, Y13
	VPSLLD       $23, Y13, Y13
	VPADDD       Y11, Y13, Y13             // 2^n: the bits of 1 and n in the exponent
	VMULPS       Y13, Y14, Y14
	VMOVUPS      Y14, (DI)
	VADDPS       Y14, Y2, Y2
	ADDQ         $32, SI
	ADDQ         $32, DI
	SUBQ         $8, CX
	JNZ          eight

	VEXTRACTF128 $1, Y2, X3
	VADDPS       X3, X2, X2
	VHADDPS      X2, X2, X2
	VHADDPS      X2, X2, X2
	MOVSS        X2, sum+36(FP)
	VZEROUPPER
	RET
