%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What bytes are in XML, for all that look at them one by one.

-define(IS_SPACE(C), (C =:= $\s orelse C =:= $\t orelse C =:= $\r orelse C =:= $\n)).
%% Of a name, as far as markup has to be told from it: where it ends.
-define(IS_NAME(C), (C > $\s andalso C =/= $= andalso C =/= $/ andalso C =/= $< andalso C =/= $> andalso C =/= $" andalso C =/= $')).
