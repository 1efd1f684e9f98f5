package io.kvasir.acceptance;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackages;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.foreign.Linker;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// The rules of the house that the class files can tell. `docs/architecture.md` and
/// `CONTRIBUTING.md` say them in words.
class ArchitectureTest {
  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("io.kvasir");

  private static final Set<String> BANNED_WORDS =
      Set.of("Manager", "Helper", "Util", "Utils", "Impl", "Base", "Abstract", "Info", "Data");

  @Test
  void imported_allModules() {
    assertThat(CLASSES.stream().map(JavaClass::getPackageName))
        .contains("io.kvasir.kvcache", "io.kvasir.compute", "io.kvasir.model", "io.kvasir.cli");
  }

  @Test
  void modules_dependOneWay() {
    layeredArchitecture()
        .consideringOnlyDependenciesInLayers()
        .withOptionalLayers(true)
        .layer("kvcache")
        .definedBy("io.kvasir.kvcache..")
        .layer("sim")
        .definedBy("io.kvasir.sim..")
        .layer("compute")
        .definedBy("io.kvasir.compute", "io.kvasir.compute.quant..")
        .layer("backends")
        .definedBy(
            "io.kvasir.compute.cpu..",
            "io.kvasir.compute.cuda..",
            "io.kvasir.compute.onednn..",
            "io.kvasir.compute.x86..")
        .layer("model")
        .definedBy("io.kvasir.model..")
        .layer("engine")
        .definedBy("io.kvasir.engine..")
        .layer("server")
        .definedBy("io.kvasir.server..")
        .layer("cli")
        .definedBy("io.kvasir.cli..")
        .whereLayer("cli")
        .mayNotBeAccessedByAnyLayer()
        .whereLayer("sim")
        .mayOnlyBeAccessedByLayers("cli")
        .whereLayer("server")
        .mayOnlyBeAccessedByLayers("cli")
        .whereLayer("engine")
        .mayOnlyBeAccessedByLayers("server", "cli")
        .whereLayer("backends")
        .mayOnlyBeAccessedByLayers("cli")
        .whereLayer("model")
        .mayOnlyBeAccessedByLayers("engine", "server", "cli")
        .whereLayer("compute")
        .mayOnlyBeAccessedByLayers("backends", "model", "engine", "cli")
        .check(CLASSES);
  }

  @Test
  void surroundings_belongToTheCommandLine() {
    noClasses()
        .that(resideOutsideOfPackages("io.kvasir.cli.."))
        .should()
        .accessField(System.class, "out")
        .orShould()
        .accessField(System.class, "err")
        .orShould()
        .accessField(System.class, "in")
        .orShould()
        .callMethod(System.class, "getenv")
        .orShould()
        .callMethod(System.class, "getenv", String.class)
        .orShould()
        .callMethod(System.class, "getProperty", String.class)
        .orShould()
        .callMethod(System.class, "getProperty", String.class, String.class)
        .orShould()
        .callMethod(System.class, "exit", int.class)
        .orShould()
        .callMethod(System.class, "setOut", PrintStream.class)
        .orShould()
        .callMethod(System.class, "setIn", InputStream.class)
        .because("properties, environment, streams and exit codes belong to io.kvasir.cli")
        .check(CLASSES);
  }

  @Test
  void ambientAndUnsafe_areNotUsed() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .areAssignableTo(ThreadLocal.class)
        .orShould()
        .dependOnClassesThat(
            resideInAnyPackage("java.lang.reflect..", "sun.misc..", "jdk.internal.."))
        .check(CLASSES);
  }

  @Test
  void nativeCalls_stayInNativeBackends() {
    noClasses()
        .that(
            resideOutsideOfPackages(
                "io.kvasir.compute.cuda..",
                "io.kvasir.compute.onednn..",
                "io.kvasir.compute.x86.."))
        .and()
        // docs/decisions/0003: the launcher's descriptor is put back with dup2.
        .haveNameNotMatching("io\\.kvasir\\.cli\\.StandardError.*")
        .should()
        .dependOnClassesThat()
        .areAssignableTo(Linker.class)
        .check(CLASSES);
  }

  @Test
  void names_sayWhatATypeIs() {
    List<String> offenders =
        CLASSES.stream()
            .filter(type -> !type.isAnonymousClass())
            .filter(type ->
                Arrays.stream(type.getSimpleName().split("(?<=[a-z0-9])(?=[A-Z])"))
                    .anyMatch(BANNED_WORDS::contains))
            .map(JavaClass::getName)
            .toList();

    assertThat(offenders).isEmpty();
  }
}
