# hutch_room(<name> SOURCES ... [LIBS ...]): one static library per folder, named hutch_<name>.
# LIBS is the room's list of arrows (design: rooms); tests/arrows_test checks the includes against it.
function(hutch_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LIBS;PRIVATE_LIBS" ${ARGN})
  add_library(hutch_${name} STATIC ${ROOM_SOURCES})
  # Not for tests: GCC 12 sees null pointers in libstdc++'s streams when it inlines them there.
  target_compile_options(hutch_${name} PRIVATE -Wnull-dereference)
  target_link_libraries(hutch_${name} PUBLIC hutch_flags ${ROOM_LIBS} PRIVATE ${ROOM_PRIVATE_LIBS})
endfunction()

# hutch_static_library(<PREFIX> <pkg-config module> <archive name>): imported target hutch::<archive>
# for the static archive that Debian's -dev package ships, so that `pct` loads no shared copy of it.
function(hutch_static_library prefix module archive)
  pkg_check_modules(${prefix} REQUIRED ${module})
  find_library(${prefix}_ARCHIVE lib${archive}.a REQUIRED)
  add_library(hutch::${archive} STATIC IMPORTED GLOBAL)
  set_target_properties(hutch::${archive} PROPERTIES
    IMPORTED_LOCATION ${${prefix}_ARCHIVE}
    INTERFACE_INCLUDE_DIRECTORIES "${${prefix}_INCLUDE_DIRS}")
endfunction()

# hutch_link_program(<target> [STATIC]): everything static for which an archive exists; with STATIC libc too, still
# position-independent: no loader, no symbol look-up at start. A sanitizer needs its own shared runtime, so it keeps
# the default.
function(hutch_link_program target)
  cmake_parse_arguments(P "STATIC" "" "" ${ARGN})
  if(HUTCH_SANITIZE)
    return()
  endif()
  target_link_options(${target} PRIVATE -Wl,--as-needed -Wl,--gc-sections -Wl,-z,relro -Wl,-z,now)
  if(P_STATIC)
    # Not together with -static-libstdc++: that turns the link of libc dynamic again, and the program jumps to 0.
    target_link_options(${target} PRIVATE -static-pie -Wl,-z,pack-relative-relocs)
  else()
    target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc)
  endif()
endfunction()

# hutch_order_functions(<target>): puts the code that a start runs together (cmake/function_order.ld, which bench/order
# writes), and a map of the code beside the program. Only where functions have sections of their own, and with a linker
# that knows INSERT.
include(CheckLinkerFlag)
function(hutch_order_functions target)
  set(script ${PROJECT_SOURCE_DIR}/cmake/function_order.ld)
  if(HUTCH_SANITIZE OR NOT CMAKE_BUILD_TYPE STREQUAL Release)
    return()
  endif()
  check_linker_flag(CXX "-Wl,-T,${script}" HUTCH_LINKER_ORDERS_FUNCTIONS)
  if(HUTCH_LINKER_ORDERS_FUNCTIONS)
    target_link_options(${target} PRIVATE -Wl,-T,${script} -Wl,-Map=$<TARGET_FILE:${target}>.map)
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${script})
  endif()
endfunction()

# hutch_test(<name> SOURCES ... LIBS ... [LABELS ...] [TIMEOUT s]): one GoogleTest program; every case is a
# CTest test of its own.
function(hutch_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE hutch_flags ${T_LIBS} GTest::gmock GTest::gtest_main)
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  if(NOT T_LABELS)
    set(T_LABELS unit)
  endif()
  include(GoogleTest)
  # The names of the program itself, which the virtual machines run directly, also for parameters.
  gtest_discover_tests(${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} DISCOVERY_TIMEOUT 60 NO_PRETTY_VALUES
    PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT})
endfunction()
