package io.kvasir.kvcache.tier;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.contract.BlockOracle;
import io.kvasir.kvcache.contract.TierContract;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

class BlockChecksumTest {
  /// The check values of both polynomials for "123456789", from their catalogue entries.
  @Test
  void of_knownText_isBothKnownChecks() {
    ByteBuffer text = ByteBuffer.wrap("123456789".getBytes(StandardCharsets.US_ASCII));
    assertThat(BlockChecksum.of(text)).isEqualTo(0xE3069283_CBF43926L);
    assertThat(text.remaining()).isZero();
  }

  @Test
  void of_anyLength_isBothPolynomialsOverAllBytes() {
    for (int bytes : new int[] {0, 8, 16_376, 16_384, 16_392, 70_000}) {
      MemorySegment block = BlockOracle.block(TierContract.key(bytes), bytes);
      CRC32C castagnoli = new CRC32C();
      castagnoli.update(block.asByteBuffer());
      CRC32 iso = new CRC32();
      iso.update(block.asByteBuffer());
      assertThat(BlockChecksum.of(block))
          .as("%d bytes", bytes)
          .isEqualTo(castagnoli.getValue() << 32 | iso.getValue());
    }
  }
}
