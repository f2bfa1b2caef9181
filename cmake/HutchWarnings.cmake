# What every target of the project is built with: warnings are errors. Those that no sanitizer can go into link this;
# all others link hutch_flags.
add_library(hutch_plain_flags INTERFACE)
target_compile_options(hutch_plain_flags INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Wcast-qual -Woverloaded-virtual -Wundef -Wimplicit-fallthrough
  # Designated initializers leave fields at their defaults on purpose.
  -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # GCC 12 sees overlapping copies in std::string's operator+ where there are none (its bug 105329).
  target_compile_options(hutch_plain_flags INTERFACE -Wno-restrict)
endif()
# A start touches every part of the program once: small pages beat fast loops.
target_compile_options(hutch_plain_flags INTERFACE $<$<CONFIG:Release>:-Os;-ffunction-sections;-fdata-sections>)
target_compile_definitions(hutch_plain_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_include_directories(hutch_plain_flags INTERFACE ${PROJECT_SOURCE_DIR})

# All of these, and sanitizers where asked for.
add_library(hutch_flags INTERFACE)
target_link_libraries(hutch_flags INTERFACE hutch_plain_flags)
if(HUTCH_SANITIZE)
  target_compile_options(hutch_flags INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
    # GCC warns falsely in instrumented code (its manual, -fsanitize=address).
    -Wno-maybe-uninitialized)
  target_link_options(hutch_flags INTERFACE -fsanitize=address,undefined)
endif()
