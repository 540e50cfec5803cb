%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Session identifiers: `<tag>.<random>'. The tag names the ejabberd node, so that a gateway finds
%%% the node of a session with no table; the rest is unguessable (XEP-0124 §7.2).
-module(megaphone_sid).

-export([new/1, tag/1, tag_of/1, short/1]).

-export_type([sid/0]).

-type sid() :: binary().

%% 18 bytes are 144 bits of randomness and fill base64 without padding.
-define(RANDOM_BYTES, 18).

-spec new(Tag :: binary()) -> sid().
new(Tag) ->
    %% The copy has no room to grow in: it lives as long as the session.
    binary:copy(<<Tag/binary, $., (base64url(crypto:strong_rand_bytes(?RANDOM_BYTES)))/binary>>).

%% @doc First six characters of the base64url SHA-256 of the node's name.
-spec tag(node()) -> binary().
tag(Node) ->
    Digest = base64url(crypto:hash(sha256, atom_to_binary(Node, utf8))),
    binary:part(Digest, 0, 6).

%% @doc Of the node where it began; of what no node made, anything.
-spec tag_of(sid()) -> binary().
tag_of(<<Tag:6/binary, $., _/binary>>) -> Tag;
tag_of(_) -> <<>>.

%% @doc What a log may show: enough to tell sessions apart, too little to guess the rest.
-spec short(sid()) -> binary().
short(<<Short:12/binary, _/binary>>) -> Short;
short(Sid) -> Sid.

-spec base64url(binary()) -> binary().
base64url(Bytes) ->
    << <<(url_safe(C))>> || <<C>> <= base64:encode(Bytes), C =/= $= >>.

-spec url_safe(byte()) -> byte().
url_safe($+) -> $-;
url_safe($/) -> $_;
url_safe(C) -> C.
