package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Memory.at;
import static io.kvasir.compute.x86.Register.R10;
import static io.kvasir.compute.x86.Register.R12;
import static io.kvasir.compute.x86.Register.R13;
import static io.kvasir.compute.x86.Register.R14;
import static io.kvasir.compute.x86.Register.R15;
import static io.kvasir.compute.x86.Register.R8;
import static io.kvasir.compute.x86.Register.R9;
import static io.kvasir.compute.x86.Register.RAX;
import static io.kvasir.compute.x86.Register.RBP;
import static io.kvasir.compute.x86.Register.RBX;
import static io.kvasir.compute.x86.Register.RCX;
import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.Register.RDX;
import static io.kvasir.compute.x86.Register.RSI;
import static io.kvasir.compute.x86.Register.RSP;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HexFormat;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/// Every instruction against the bytes that the GNU assembler writes for it (2.40, with offsets of
/// four bytes and a REX prefix forced where this assembler always has them). Registers are chosen
/// so that each bit of their numbers is set somewhere.
class AssemblerTest {
  private static final int FAR = 0x12345678;

  @Test
  void instructions_haveTheBytesOfTheGnuAssembler() {
    check(a -> a.load(R14, at(RDI, 0x10)), "4c8bb710000000");
    check(a -> a.move(R8, R14), "4d89f0");
    check(a -> a.load32(RCX, at(RSI, 4)), "408b8e04000000");
    check(a -> a.load16(RAX, at(RSI, R9, 4, 2)), "420fb7848e02000000");
    check(a -> a.address(R10, at(R9, R9, 2, 0)), "4f8d944900000000");
    check(a -> a.add(R8, 0x2222), "4981c022220000");
    check(a -> a.add(R15, RAX), "4901c7");
    check(a -> a.and32(RCX, 0x3f3f3f3f), "4081e13f3f3f3f");
    check(a -> a.move32(RBP, RAX), "4089c5");
    check(a -> a.shiftRight32(RBP, 6), "40c1ed06");
    check(a -> a.shiftLeft(RCX, 32), "48c1e120");
    check(a -> a.or(RCX, RAX), "4809c1");
    check(a -> a.subtract(RDX, 0x1111), "4881ea11110000");
    check(a -> a.subtract(at(RDI, FAR), 0x1111), "4881af7856341211110000");
    check(a -> a.push(R12), "4154");
    check(a -> a.pop(RBX), "5b");
    check(a -> a.prefetch(at(R8, R10, 2, 0x400)), "430f188c5000040000");
    check(a -> a.prefetchSecond(at(RBP, FAR)), "400f189578563412");
    check(a -> a.storeFour(at(R13, FAR), 19), "62c17c08119d78563412");
    check(a -> a.shuffleQuarters(17, 2, 31, 0xdd), "62836d4823cfdd");
    check(a -> a.shuffleWithinQuarters(9, 26, 0x4e), "62137d4804ca4e");
    check(a -> a.loadFloats(17, at(RSI, 0x40)), "62e17c48108e40000000");
    check(a -> a.storeFloats(at(RDI, 0x40), 31), "62617c4811bf40000000");
    check(a -> a.storeFloat(at(R13, FAR), 3), "62d17e08119d78563412");
    check(a -> a.broadcast(30, at(R12, RAX, 4, FAR)), "62427d4818b48478563412");
    check(a -> a.bytesToInts(9, at(R8, R9, 1, FAR)), "62127d48218c0878563412");
    check(a -> a.unsignedBytesToInts(9, at(RSP, FAR)), "62727d48318c2478563412");
    check(a -> a.unsignedBytesToInts(21, 20), "62a27d4831ec");
    check(a -> a.unsignedShortsToInts(1, at(R8, FAR)), "62d27d48338878563412");
    check(a -> a.halvesToFloats(1, at(R8, FAR)), "62d27d48138878563412");
    check(a -> a.intsToFloats(10, 26), "62117c485bd2");
    check(a -> a.multiply(16, 2, 31), "62816c4859c7");
    check(a -> a.add(27, 18, 9), "62416c4058d9");
    check(a -> a.add256(1, 1, 2), "62f1742858ca");
    check(a -> a.add128(1, 1, 2), "62f1740858ca");
    check(a -> a.multiplyAdd(30, 21, 12), "62425540b8f4");
    check(a -> a.multiplyAdd(30, 21, at(RSI, FAR)), "62625540b8b678563412");
    check(a -> a.multiplyAddOne(30, 21, at(RSI, FAR)), "62625550b8b678563412");
    check(a -> a.multiplySubtractOne(30, 21, at(RSI, FAR)), "62625550bab678563412");
    check(a -> a.multiplyOne(30, 21, at(RSI, FAR)), "6261545059b678563412");
    check(a -> a.lookUp(11, 22, 5), "62724d4016dd");
    check(a -> a.and(11, 22, 5), "62714d40dbdd");
    check(a -> a.orAnd(11, 22, 5), "62734d4025ddf8");
    check(a -> a.loadTwice(11, at(R8, FAR)), "6252fd485b9878563412");
    check(a -> a.subtractBytes(11, 22, 5), "62714d40f8dd");
    check(a -> a.shiftLeftShorts(11, 22, 5), "6272cd4012dd");
    check(a -> a.shiftRightShorts(11, 22, 5), "6272cd4010dd");
    check(a -> a.moveToVector(22, RCX), "62e1fd086ef1");
    check(a -> a.shiftRightInts(22, 5, 4), "62f14d4072d504");
    check(a -> a.shiftLeftInts(22, 5, 16), "62f14d4072f510");
    check(a -> a.upperHalf(22, 5), "62b37d481bee01");
    check(a -> a.upperQuarter(22, 5), "62b37d2819ee01");
    check(a -> a.shuffle128(22, 5, 0xee), "62e15408c6f5ee");
    check(a -> a.zero(21), "62a15540efed");
    check(a -> a.or(11, 22, 5), "62714d40ebdd");
    check(a -> a.subtractInts(11, 22, 5), "62714d40fadd");
    check(a -> a.load8(RAX, at(RSI, R9, 4, 2)), "420fb6848e02000000");
    check(a -> a.multiplyThenAdd(30, 21, 12), "62425540a8f4");
    check(a -> a.multiplyThenSubtractOne(30, 21, at(RSI, FAR)), "62625550aab678563412");
    check(a -> a.shiftRightEach(11, 22, 5), "62724d4045dd");
    check(a -> a.loadMask(at(R8, R9, 1, FAR)), "c48178908c0878563412");
    check(a -> a.loadMask(at(RSI, FAR)), "c4e178908e78563412");
    check(a -> a.orMasked(11, 22, 5), "62714d41ebdd");
    check(a -> a.shiftRightSigned(22, 5, 4), "62f14d4072e504");
    check(a -> a.xor(11, 22, 5), "62714d40efdd");
    check(a -> a.maxInts(11, 22, 5), "62724d403ddd");
    check(a -> a.multiply(30, 21, at(RSI, FAR)), "6261544059b678563412");
    check(a -> a.maskNotLess(22, 5), "62f14c40c2cd05");
    check(a -> a.addIntsOrZero(11, 22, 5), "62714dc1fedd");
    check(a -> a.fraction(22, 5), "62e37d4856f508");
    check(a -> a.scale(11, 22, 5), "62724d402cdd");
    check(a -> a.max(11, 22, 5), "62714c405fdd");
    check(a -> a.copy(22, 5), "62e17c4828f5");
    check(a -> a.subtract(11, 22, 5), "62714c405cdd");
    check(a -> a.floatsToBf16(11, 22, 5), "62724f4072dd");
    check(a -> a.floatsToBf16(30, 21, at(RSI, FAR)), "6262574072b678563412");
    check(a -> a.floatsToBf16(22, 5), "62e27e4872f5");
    check(a -> a.multiplyAddPairs(30, 21, 12), "6242564052f4");
    check(a -> a.multiplyAddPairs(30, 21, at(RSI, FAR)), "6262564052b678563412");
    check(a -> a.multiplyAddOnePair(30, 21, at(RSI, FAR)), "6262565052b678563412");
    check(a -> a.lookUpShorts(11, 22, 5), "6272cd408ddd");
    check(a -> a.unsignedBytesToShorts(9, at(R8, FAR)), "62527d48308878563412");
    check(a -> a.loadFourTimes(9, at(R8, FAR)), "62527d485a8878563412");
    check(a -> a.shuffleBytes(11, 22, 5), "62724d4000dd");
    check(a -> a.shiftRightAllShorts(22, 5, 4), "62f14d4071d504");
    check(a -> a.vzeroupper(), "c5f877");
    check(a -> a.ret(), "c3");
  }

  @Test
  void jump_goesBackToItsLabel() {
    Assembler assembler = new Assembler();
    assembler.ret();
    Label label = assembler.here();
    assembler.ret();
    assembler.jumpIfNotZero(label);

    assertThat(assembler.code()).isEqualTo(HexFormat.of().parseHex("c3c30f85f9ffffff"));
  }

  @Test
  void memory_withStackPointerAsIndex_isRefused() {
    assertThatThrownBy(() -> at(RAX, RSP, 1, 0)).hasMessageContaining("stack pointer");
    assertThatThrownBy(() -> at(RAX, RAX, 3, 0)).hasMessageContaining("3");
  }

  private static void check(Consumer<Assembler> instruction, String expected) {
    Assembler assembler = new Assembler();
    instruction.accept(assembler);

    assertThat(HexFormat.of().formatHex(assembler.code())).isEqualTo(expected);
  }
}
