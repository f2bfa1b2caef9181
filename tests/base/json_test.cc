#include "base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace hutch {
namespace {

using nlohmann::json;

TEST(JsonWriter, NestsObjectsAndArraysOneMemberALine) {
  JsonWriter writer;
  writer.begin_object().member("name", "a").key("steps").begin_array().number(1).number(-2).end_array();
  writer.key("none").begin_array().end_array().key("open").boolean(true).end_object();
  EXPECT_EQ(writer.take(),
            "{\n \"name\": \"a\",\n \"steps\": [\n  1,\n  -2\n ],\n \"none\": [],\n \"open\": true\n}\n");
}

TEST(JsonWriter, WhatItWritesIsReadBack) {
  const std::string text = "mount \"a\\b\"\n\t\x01\x7f é 猫 \xf0\x9f\x90\x88";
  JsonWriter writer;
  writer.begin_array().string(text).decimal(2500).decimal(-1).decimal(0).end_array();
  EXPECT_EQ(json::parse(writer.take()), json({text, 2.5, -0.001, 0}));
}

TEST(JsonWriter, BytesThatAreNoUtf8AreReplaced) {
  // A lone continuation, an overlong slash, a surrogate, a cut sequence, something beyond U+10FFFF.
  for (const std::string broken : {"\x80", "\xc0\xaf", "\xed\xa0\x80", "\xe2\x82", "\xf4\x90\x80\x80"}) {
    JsonWriter writer;
    writer.begin_array().string("a" + broken + "b").end_array();
    const std::string read = json::parse(writer.take())[0];
    EXPECT_EQ(read.substr(0, 4), "a\xef\xbf\xbd");
    EXPECT_TRUE(read.ends_with("b"));
  }
}

TEST(JsonWriter, IsEmptyAfterTheDocumentWasTaken) {
  JsonWriter writer;
  writer.begin_array().end_array();
  EXPECT_EQ(writer.take(), "[]\n");
  writer.string("next");
  EXPECT_EQ(writer.take(), "\"next\"\n");
}

}  // namespace
}  // namespace hutch
