%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What mod_megaphone is, and its options, as ejabberd prints them.
-module(megaphone_doc).

-export([doc/0]).

-export_type([doc/0]).

-type doc() :: #{desc := binary(), opts := [{atom(), #{value := binary(), desc := binary()}}]}.

-spec doc() -> doc().
doc() ->
    #{
        desc => <<
            "Serves BOSH (XEP-0124, XEP-0206) and WebSocket (RFC 7395) to web clients whose connections are held by a "
            "Megaphone gateway, a hidden node of the cluster. Needs no listener: gateways send to the process "
            "registered as 'mod_megaphone'."
        >>,
        opts => [
            {max_wait, #{
                value => <<"timeout()">>,
                desc => <<"The longest a request is held before an empty answer. The default is '60' seconds.">>
            }},
            {max_hold, #{
                value => <<"pos_integer()">>,
                desc => <<
                    "The most requests held for a client at once. The default is '1': some clients keep as many "
                    "open as they may, and then have no connection left to send with."
                >>
            }},
            {max_inactivity, #{
                value => <<"timeout()">>,
                desc => <<
                    "A BOSH session whose client has no request open for this long ends. The default is '30' seconds."
                >>
            }},
            {max_pause, #{
                value => <<"timeout()">>,
                desc => <<"The longest pause a client may ask for. The default is '120' seconds.">>
            }},
            {polling, #{
                value => <<"timeout()">>,
                desc => <<
                    "The shortest time between the empty requests of a client that polls. '0' sets no limit. "
                    "The default is '5' seconds."
                >>
            }},
            {max_queue, #{
                value => <<"bytes">>,
                desc => <<
                    "How much waits for a client before what it sends has to wait, too. With more, a client that "
                    "has fetched nothing for 'max_inactivity' is ended with 'policy-violation'; any client, once what "
                    "waits for it takes 64 times as much memory. The default is '1048576'."
                >>
            }},
            {presence_delay, #{
                value => <<"timeout()">>,
                desc => <<
                    "Presence for a BOSH client waits this long for more of it, to share one answer; a message or an "
                    "iq takes it along at once, so the order stays. The default is '0': it does not wait."
                >>
            }},
            {strict, #{
                value => <<"true | false">>,
                desc => <<
                    "Ends the session of a client that has more than 'requests' open or asks sooner than 'polling' "
                    "with 'policy-violation', as XEP-0124 has it. The default is 'false': such requests are "
                    "answered, sooner or later, and only a flood of them ends a session."
                >>
            }},
            {max_unauthenticated, #{
                value => <<"pos_integer()">>,
                desc => <<
                    "The most sessions on this node that have not logged in; ejabberd's 'negotiation_timeout' "
                    "bounds how long each may take. With more, the oldest makes room if it has had five seconds; else "
                    "new clients hear 503. Like the two below it is "
                    "taken from the first host. The default is '10000', some 150 MB."
                >>
            }},
            {max_unauthenticated_per_address, #{
                value => <<"non_neg_integer()">>,
                desc => <<
                    "The most of them from one address (IPv6: network of /48) while there are more than half of "
                    "'max_unauthenticated'. '0' sets no limit. The default is '100'."
                >>
            }},
            {max_memory, #{
                value => <<"bytes">>,
                desc => <<
                    "While the Erlang machine uses more memory than this, no session begins. The default is '0': "
                    "no limit."
                >>
            }},
            {weight, #{
                value => <<"0..10000">>,
                desc => <<
                    "How many sessions this node has for those of others in the cluster: twice as many where it is twice as "
                    "large. With '0' none begins here, and none moves here. Taken from the first host. The default is '100'."
                >>
            }},
            {events, #{
                value => <<"[logins | logouts | messages | bodies, ...]">>,
                desc => <<
                    "What is told to 'events_to', as lines of JSON. Messages that users of this host send are told without "
                    "their text, unless 'bodies' is there. The default is an empty list: nothing is told."
                >>
            }},
            {events_to, #{
                value => <<"URL | [Name] | [Name, Node]">>,
                desc => <<
                    "Where events go: batches of lines are posted to this URL, or sent to the process registered under this name, "
                    "of this node or of another. The default is 'none'."
                >>
            }},
            {events_delivery, #{
                value => <<"at_most_once | at_least_once">>,
                desc => <<
                    "'at_least_once': a batch is sent again, with pauses that double, until it is answered (by a status of 2xx). "
                    "The default is 'at_most_once': one that fails is dropped."
                >>
            }},
            {events_max, #{
                value => <<"pos_integer()">>,
                desc => <<
                    "The most events that wait. Those that do not fit are dropped, and the next line says how many. The default "
                    "is '10000'."
                >>
            }},
            {events_max_bytes, #{
                value => <<"bytes">>,
                desc => <<"The most memory that those that wait take. The default is '16777216'.">>
            }}
        ]
    }.
