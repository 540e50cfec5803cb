%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% For those that are a transport. `module_install' compiles one file after the other, none sees another's beam, and would warn that
%%% there is no such behaviour: it is our own build that looks at its callbacks.
-ifdef(CHECK_BEHAVIOURS).
-behaviour(megaphone_transport).
-endif.
