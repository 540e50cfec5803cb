%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What comes from one client, on its way past ejabberd's shaper. Each body is charged when it arrives,
%%% whatever it is: a repeat, one that is no XML, one whose turn has not come. Until what came before is paid
%%% for it waits here, unparsed.
-module(megaphone_intake).

-export([new/0, arrive/5, take/2, closed/2, is_waiting/2, due/1, all/1, shift/2]).

-export_type([intake/0]).

-type ms() :: integer().
-type conn() :: pid().
-type item() :: {Due :: ms(), conn(), open | gone, Body :: binary()}.

-record(intake, {
    %% When all that came so far is paid for.
    paid :: ms(),
    %% Oldest first; a handful.
    items = [] :: [item()]
}).

-opaque intake() :: idle | #intake{}.

-spec new() -> intake().
new() -> idle.

%% @doc Charges a body. It is to be read `now', or waits until take/2 gives it. With more than `Most' waiting
%% it is a flood, of which nothing is kept.
-spec arrive({conn(), Body :: binary()}, Most :: pos_integer(), ms(), ejabberd_shaper:shaper(), intake()) ->
    {now | later | flood, ejabberd_shaper:shaper(), intake()}.
arrive({_, Body}, _, Now, Shaper, idle) ->
    {Shaper1, Paid} = charge(Body, Now, Shaper),
    {now, Shaper1, case Paid > Now of true -> #intake{paid = Paid}; false -> idle end};
arrive({Conn, Body}, Most, Now, Shaper, #intake{paid = Before, items = Items} = Intake) ->
    {Shaper1, Paid} = charge(Body, Now, Shaper),
    Intake1 = Intake#intake{paid = max(Before, Paid)},
    case Items of
        [] when Paid =< Now -> {now, Shaper1, idle};
        [] when Before =< Now -> {now, Shaper1, Intake1};
        _ -> wait({Before, Conn, open, Body}, Most, Shaper1, Intake1)
    end.

-spec wait(item(), pos_integer(), Shaper, #intake{}) -> {later | flood, Shaper, intake()}.
wait({_, Conn, _, Body} = Item, Most, Shaper, #intake{items = Items} = Intake) ->
    %% A repeat of one whose connection is gone takes its place.
    case lists:splitwith(fun({_, _, State, B}) -> State =:= open orelse B =/= Body end, Items) of
        {Before, [{Due, _, gone, Kept} | Behind]} ->
            {later, Shaper, Intake#intake{items = Before ++ [{Due, Conn, open, Kept} | Behind]}};
        {_, []} when length(Items) < Most ->
            {later, Shaper, Intake#intake{items = Items ++ [Item]}};
        {_, []} ->
            {flood, Shaper, Intake}
    end.

-spec charge(binary(), ms(), Shaper) -> {Shaper, ms()} when Shaper :: ejabberd_shaper:shaper().
charge(Body, Now, Shaper) ->
    {Shaper1, Pause} = ejabberd_shaper:update(Shaper, byte_size(Body)),
    {Shaper1, Now + Pause}.

%% @doc The oldest, if its time has come.
-spec take(ms(), intake()) -> {conn(), open | gone, Body :: binary(), intake()} | none.
take(Now, #intake{items = [{Due, Conn, State, Body} | Items]} = Intake) when Due =< Now ->
    {Conn, State, Body, Intake#intake{items = Items}};
take(_, _) ->
    none.

%% @doc The connection is gone; what came by it stays, for its client may not come back with it.
-spec closed(conn(), intake()) -> intake().
closed(_, idle) ->
    idle;
closed(Conn, #intake{items = Items} = Intake) ->
    case lists:keyfind(Conn, 2, Items) of
        false -> Intake;
        {Due, _, _, Body} -> Intake#intake{items = lists:keyreplace(Conn, 2, Items, {Due, Conn, gone, Body})}
    end.

-spec is_waiting(conn(), intake()) -> boolean().
is_waiting(_, idle) -> false;
is_waiting(Conn, #intake{items = Items}) -> lists:keymember(Conn, 2, Items).

%% @doc When take/2 will give something.
-spec due(intake()) -> ms() | infinity.
due(#intake{items = [{Due, _, _, _} | _]}) -> Due;
due(_) -> infinity.

%% @doc All that waits, oldest first.
-spec all(intake()) -> [{conn(), Body :: binary()}].
all(idle) -> [];
all(#intake{items = Items}) -> [{Conn, Body} || {_, Conn, _, Body} <- Items].

%% @doc The same on a clock that is so much ahead.
-spec shift(ms(), intake()) -> intake().
shift(_, idle) -> idle;
shift(By, #intake{paid = Paid, items = Items}) ->
    #intake{paid = Paid + By, items = [{Due + By, Conn, State, Body} || {Due, Conn, State, Body} <- Items]}.
