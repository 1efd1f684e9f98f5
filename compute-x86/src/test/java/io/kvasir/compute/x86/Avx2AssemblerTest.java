package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Memory.at;
import static io.kvasir.compute.x86.Register.R14;
import static io.kvasir.compute.x86.Register.R8;
import static io.kvasir.compute.x86.Register.R9;
import static io.kvasir.compute.x86.Register.RAX;
import static io.kvasir.compute.x86.Register.RCX;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HexFormat;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/// Every instruction against the bytes that the GNU assembler writes for it (2.40, `{vex3}` and
/// `{disp32}`). Registers are chosen so that each bit of their numbers is set somewhere.
class Avx2AssemblerTest {
  private static final int FAR = 0x12345678;

  @Test
  void loadsAndStores_haveTheBytesOfTheGnuAssembler() {
    check(a -> a.loadFloats(2, at(R8, R9, 4, FAR)), "c4817c10948878563412");
    check(a -> a.loadFloats128(2, at(R8, R9, 4, FAR)), "c4817810948878563412");
    check(a -> a.loadTwoFloats(2, at(R8, R9, 4, FAR)), "c4817a7e948878563412");
    check(a -> a.loadFloat(2, at(R8, R9, 4, FAR)), "c4817a10948878563412");
    check(a -> a.storeFloats(at(R8, R9, 4, FAR), 2), "c4817c11948878563412");
    check(a -> a.storeFour(at(R8, R9, 4, FAR), 2), "c4817811948878563412");
    check(a -> a.storeTwo(at(R8, R9, 4, FAR), 2), "c48179d6948878563412");
    check(a -> a.storeFloat(at(R8, R9, 4, FAR), 2), "c4817a11948878563412");
    check(a -> a.copy(2, 13), "c4c17c28d5");
    check(a -> a.copy(11, 4), "c4617c28dc");
    check(a -> a.broadcast(2, at(R8, R9, 4, FAR)), "c4827d18948878563412");
    check(a -> a.broadcast(2, 13), "c4c27d18d5");
    check(a -> a.broadcast(11, 4), "c4627d18dc");
    check(a -> a.broadcastFour(2, at(R8, R9, 4, FAR)), "c4827d5a948878563412");
    check(a -> a.moveToVector(2, RCX), "c4e1f96ed1");
    check(a -> a.moveToVector(11, R14), "c441f96ede");
  }

  @Test
  void conversions_haveTheBytesOfTheGnuAssembler() {
    check(a -> a.bytesToInts(2, at(R8, R9, 4, FAR)), "c4827d21948878563412");
    check(a -> a.bytesToInts(2, 13), "c4c27d21d5");
    check(a -> a.bytesToInts(11, 4), "c4627d21dc");
    check(a -> a.unsignedBytesToInts(2, at(R8, R9, 4, FAR)), "c4827d31948878563412");
    check(a -> a.unsignedBytesToInts(2, 13), "c4c27d31d5");
    check(a -> a.unsignedBytesToInts(11, 4), "c4627d31dc");
    check(a -> a.shortsToInts(2, at(R8, R9, 4, FAR)), "c4827d23948878563412");
    check(a -> a.shortsToInts(2, 13), "c4c27d23d5");
    check(a -> a.shortsToInts(11, 4), "c4627d23dc");
    check(a -> a.unsignedShortsToInts(2, at(R8, R9, 4, FAR)), "c4827d33948878563412");
    check(a -> a.unsignedShortsToInts(2, 13), "c4c27d33d5");
    check(a -> a.unsignedShortsToInts(11, 4), "c4627d33dc");
    check(a -> a.bytesToShorts(2, at(R8, R9, 4, FAR)), "c4827d20948878563412");
    check(a -> a.unsignedBytesToShorts(2, at(R8, R9, 4, FAR)), "c4827d30948878563412");
    check(a -> a.halvesToFloats(2, at(R8, R9, 4, FAR)), "c4827d13948878563412");
    check(a -> a.halvesToFloats(2, 13), "c4c27d13d5");
    check(a -> a.halvesToFloats(11, 4), "c4627d13dc");
    check(a -> a.floatsToHalves(at(R8, R9, 4, FAR), 2), "c4837d1d94887856341200");
    check(a -> a.intsToFloats(2, 13), "c4c17c5bd5");
    check(a -> a.intsToFloats(11, 4), "c4617c5bdc");
    check(a -> a.floatsToInts(2, 13), "c4c17d5bd5");
    check(a -> a.floatsToInts(11, 4), "c4617d5bdc");
    check(a -> a.floatsToIntsTowardsZero(2, 13), "c4c17e5bd5");
    check(a -> a.floatsToIntsTowardsZero(11, 4), "c4617e5bdc");
    check(a -> a.round(2, 13), "c4c37d08d508");
    check(a -> a.round(11, 4), "c4637d08dc08");
    check(a -> a.floor(2, 13), "c4c37d08d509");
    check(a -> a.floor(11, 4), "c4637d08dc09");
  }

  @Test
  void floats_haveTheBytesOfTheGnuAssembler() {
    check(a -> a.add(2, 13, 7), "c4e11458d7");
    check(a -> a.add(11, 4, 14), "c4415c58de");
    check(a -> a.add(2, 13, at(R8, R9, 4, FAR)), "c4811458948878563412");
    check(a -> a.multiply(2, 13, 7), "c4e11459d7");
    check(a -> a.multiply(11, 4, 14), "c4415c59de");
    check(a -> a.multiply(2, 13, at(R8, R9, 4, FAR)), "c4811459948878563412");
    check(a -> a.subtract(2, 13, 7), "c4e1145cd7");
    check(a -> a.subtract(11, 4, 14), "c4415c5cde");
    check(a -> a.subtract(2, 13, at(R8, R9, 4, FAR)), "c481145c948878563412");
    check(a -> a.min(2, 13, 7), "c4e1145dd7");
    check(a -> a.min(11, 4, 14), "c4415c5dde");
    check(a -> a.min(2, 13, at(R8, R9, 4, FAR)), "c481145d948878563412");
    check(a -> a.max(2, 13, 7), "c4e1145fd7");
    check(a -> a.max(11, 4, 14), "c4415c5fde");
    check(a -> a.max(2, 13, at(R8, R9, 4, FAR)), "c481145f948878563412");
    check(a -> a.divide(2, 13, 7), "c4e1145ed7");
    check(a -> a.divide(11, 4, 14), "c4415c5ede");
    check(a -> a.divide(2, 13, at(R8, R9, 4, FAR)), "c481145e948878563412");
    check(a -> a.add128(2, 13, 7), "c4e11058d7");
    check(a -> a.add128(11, 4, 14), "c4415858de");
    check(a -> a.max128(2, 13, 7), "c4e1105fd7");
    check(a -> a.max128(11, 4, 14), "c441585fde");
    check(a -> a.multiplyAdd(2, 13, 7), "c4e215b8d7");
    check(a -> a.multiplyAdd(11, 4, 14), "c4425db8de");
    check(a -> a.multiplyAdd(2, 13, at(R8, R9, 4, FAR)), "c48215b8948878563412");
    check(a -> a.multiplySubtract(2, 13, 7), "c4e215bad7");
    check(a -> a.multiplySubtract(11, 4, 14), "c4425dbade");
    check(a -> a.multiplySubtract(2, 13, at(R8, R9, 4, FAR)), "c48215ba948878563412");
    check(a -> a.subtractProduct(2, 13, 7), "c4e215bcd7");
    check(a -> a.subtractProduct(11, 4, 14), "c4425dbcde");
    check(a -> a.subtractProduct(2, 13, at(R8, R9, 4, FAR)), "c48215bc948878563412");
    check(a -> a.multiplyThenAdd(2, 13, 7), "c4e215a8d7");
    check(a -> a.multiplyThenAdd(11, 4, 14), "c4425da8de");
    check(a -> a.multiplyThenAdd(2, 13, at(R8, R9, 4, FAR)), "c48215a8948878563412");
    check(a -> a.multiplyThenSubtract(2, 13, 7), "c4e215aad7");
    check(a -> a.multiplyThenSubtract(11, 4, 14), "c4425daade");
    check(a -> a.multiplyThenSubtract(2, 13, at(R8, R9, 4, FAR)), "c48215aa948878563412");
    check(a -> a.compare(2, 13, 7, 0x5), "c4e114c2d705");
    check(a -> a.compare(11, 4, 14, 0x5), "c4415cc2de05");
  }

  @Test
  void integersAndBits_haveTheBytesOfTheGnuAssembler() {
    check(a -> a.addInts(2, 13, 7), "c4e115fed7");
    check(a -> a.addInts(11, 4, 14), "c4415dfede");
    check(a -> a.addInts(2, 13, at(R8, R9, 4, FAR)), "c48115fe948878563412");
    check(a -> a.subtractInts(2, 13, 7), "c4e115fad7");
    check(a -> a.subtractInts(11, 4, 14), "c4415dfade");
    check(a -> a.subtractInts(2, 13, at(R8, R9, 4, FAR)), "c48115fa948878563412");
    check(a -> a.addBytes(2, 13, 7), "c4e115fcd7");
    check(a -> a.addBytes(11, 4, 14), "c4415dfcde");
    check(a -> a.subtractBytes(2, 13, 7), "c4e115f8d7");
    check(a -> a.subtractBytes(11, 4, 14), "c4415df8de");
    check(a -> a.subtractBytes(2, 13, at(R8, R9, 4, FAR)), "c48115f8948878563412");
    check(a -> a.maxInts(2, 13, 7), "c4e2153dd7");
    check(a -> a.maxInts(11, 4, 14), "c4425d3dde");
    check(a -> a.minInts(2, 13, 7), "c4e21539d7");
    check(a -> a.minInts(11, 4, 14), "c4425d39de");
    check(a -> a.compareEqual(2, 13, 7), "c4e11576d7");
    check(a -> a.compareEqual(11, 4, 14), "c4415d76de");
    check(a -> a.compareEqual(2, 13, at(R8, R9, 4, FAR)), "c4811576948878563412");
    check(a -> a.compareLarger(2, 13, 7), "c4e11566d7");
    check(a -> a.compareLarger(11, 4, 14), "c4415d66de");
    check(a -> a.and(2, 13, 7), "c4e115dbd7");
    check(a -> a.and(11, 4, 14), "c4415ddbde");
    check(a -> a.and(2, 13, at(R8, R9, 4, FAR)), "c48115db948878563412");
    check(a -> a.andNot(2, 13, 7), "c4e115dfd7");
    check(a -> a.andNot(11, 4, 14), "c4415ddfde");
    check(a -> a.or(2, 13, 7), "c4e115ebd7");
    check(a -> a.or(11, 4, 14), "c4415debde");
    check(a -> a.or(2, 13, at(R8, R9, 4, FAR)), "c48115eb948878563412");
    check(a -> a.xor(2, 13, 7), "c4e115efd7");
    check(a -> a.xor(11, 4, 14), "c4415defde");
    check(a -> a.xor(2, 13, at(R8, R9, 4, FAR)), "c48115ef948878563412");
    check(a -> a.zero(2), "c4e16defd2");
    check(a -> a.zero(11), "c44125efdb");
    check(a -> a.shiftRightInts(2, 13, 0x5), "c4c16d72d505");
    check(a -> a.shiftRightInts(11, 4, 0x5), "c4e12572d405");
    check(a -> a.shiftLeftInts(2, 13, 0x5), "c4c16d72f505");
    check(a -> a.shiftLeftInts(11, 4, 0x5), "c4e12572f405");
    check(a -> a.shiftRightSigned(2, 13, 0x5), "c4c16d72e505");
    check(a -> a.shiftRightSigned(11, 4, 0x5), "c4e12572e405");
    check(a -> a.shiftRightShorts(2, 13, 0x5), "c4c16d71d505");
    check(a -> a.shiftRightShorts(11, 4, 0x5), "c4e12571d405");
    check(a -> a.shiftLeftShorts(2, 13, 0x5), "c4c16d71f505");
    check(a -> a.shiftLeftShorts(11, 4, 0x5), "c4e12571f405");
    check(a -> a.shiftRightBytes(2, 13, 0x8), "c4c16d73dd08");
    check(a -> a.shiftRightBytes(11, 4, 0x8), "c4e12573dc08");
    check(a -> a.shiftRightEach(2, 13, 7), "c4e21545d7");
    check(a -> a.shiftRightEach(11, 4, 14), "c4425d45de");
    check(a -> a.shiftRightEach(2, 13, at(R8, R9, 4, FAR)), "c4821545948878563412");
    check(a -> a.shiftLeftEach(2, 13, 7), "c4e21547d7");
    check(a -> a.shiftLeftEach(11, 4, 14), "c4425d47de");
  }

  @Test
  void lanesToOtherPlaces_haveTheBytesOfTheGnuAssembler() {
    check(a -> a.blendBySign(2, 13, 7, 9), "c4e3154ad790");
    check(a -> a.blendBySign(11, 4, 14, 9), "c4435d4ade90");
    check(a -> a.blend(2, 13, 7, 0xa5), "c4e31502d7a5");
    check(a -> a.blend(11, 4, 14, 0xa5), "c4435d02dea5");
    check(a -> a.lookUp(2, 13, 7), "c4e21516d7");
    check(a -> a.lookUp(11, 4, 14), "c4425d16de");
    check(a -> a.lookUp(2, 13, at(R8, R9, 4, FAR)), "c4821516948878563412");
    check(a -> a.shuffleBytes(2, 13, 7), "c4e21500d7");
    check(a -> a.shuffleBytes(11, 4, 14), "c4425d00de");
    check(a -> a.shuffleBytes(2, 13, at(R8, R9, 4, FAR)), "c4821500948878563412");
    check(a -> a.shuffleWithinHalves(2, 13, 0xb6), "c4c17d70d5b6");
    check(a -> a.shuffleWithinHalves(11, 4, 0xb6), "c4617d70dcb6");
    check(a -> a.shuffle(2, 13, 7, 0xb6), "c4e114c6d7b6");
    check(a -> a.shuffle(11, 4, 14, 0xb6), "c4415cc6deb6");
    check(a -> a.shuffleHalves(2, 13, 7, 0x31), "c4e31546d731");
    check(a -> a.shuffleHalves(11, 4, 14, 0x31), "c4435d46de31");
    check(a -> a.shuffleQuarters(2, 13, 0xb6), "c4c3fd00d5b6");
    check(a -> a.shuffleQuarters(11, 4, 0xb6), "c463fd00dcb6");
    check(a -> a.upperHalf(2, 13), "c4637d39ea01");
    check(a -> a.upperHalf(11, 4), "c4c37d39e301");
    check(a -> a.storeUpperFour(at(R8, R9, 4, FAR), 2), "c4837d3994887856341201");
    check(a -> a.withUpperHalf(2, 13, 7), "c4e31538d701");
    check(a -> a.withUpperHalf(11, 4, 14), "c4435d38de01");
    check(a -> a.withUpperHalf(2, 13, at(R8, R9, 4, FAR)), "c483153894887856341201");
    check(a -> a.lowerPairs(2, 13, 7), "c4e11414d7");
    check(a -> a.lowerPairs(11, 4, 14), "c4415c14de");
    check(a -> a.upperPairs(2, 13, 7), "c4e11415d7");
    check(a -> a.upperPairs(11, 4, 14), "c4415c15de");
  }

  @Test
  void registersOfAvx512_areRefused() {
    Avx2Assembler assembler = new Avx2Assembler();

    assertThatThrownBy(() -> assembler.add(16, 0, 0)).hasMessageContaining("0 to 15");
    assertThatThrownBy(() -> assembler.add(0, 16, 0)).hasMessageContaining("0 to 15");
    assertThatThrownBy(() -> assembler.add(0, 0, 16)).hasMessageContaining("0 to 15");
  }

  @Test
  void generalInstructions_areThoseOfBothWidths() {
    Avx2Assembler narrow = new Avx2Assembler();
    Assembler wide = new Assembler();
    narrow.load(RAX, at(R8, FAR));
    wide.load(RAX, at(R8, FAR));

    assertThat(narrow.code()).isEqualTo(wide.code());
  }

  private static void check(Consumer<Avx2Assembler> instruction, String expected) {
    Avx2Assembler assembler = new Avx2Assembler();
    instruction.accept(assembler);

    assertThat(HexFormat.of().formatHex(assembler.code())).isEqualTo(expected);
  }
}
