# Megaphone's tasks; `make help` lists them. scripts/settings.sh lists the environment (ports, node names).
.DEFAULT_GOAL := help
.PHONY: help run up down status cluster-up cluster-down cluster-status rolling-restart chaos chaos-comet deb fresh build unit test matrix nodes lint check-erl conformance screenshots clean

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 26

# ejabberd compiles mod_megaphone itself.
run: packages build-gateway ## ejabberd and the gateway in the foreground; Ctrl-C ends both
	@scripts/dev.sh run

up: packages build-gateway ## The same in the background
	@scripts/dev.sh up

down: ## Ends what make up started
	@scripts/dev.sh down

status: ## What runs, where, and with which accounts
	@scripts/dev.sh status

cluster-up: test-packages ## Three joined ejabberd, two gateways and HAProxy in the background (NODES=3 GATEWAYS=2 WORKERS=2)
	@scripts/cluster.sh free
	@$(MAKE) --no-print-directory build
	@scripts/cluster.sh up

cluster-down: ## Ends what make cluster-up started
	@scripts/cluster.sh down

cluster-status: ## What of it runs, and what to kill
	@scripts/cluster.sh status

rolling-restart: test-packages build ## Each gateway and node restarted in turn under load: what clients saw (5 minutes; USERS=2000 RATE=500)
	@node dist/test/ejabberd/rolling/main.js

chaos: test-packages build ## A cluster of its own, broken under load: what clients noticed (CHAOS_SECONDS=120 CHAOS_SEED= USERS=500 RATE=500 FAULTS=gateways,links,nodes,partitions NAMESPACES=0)
	@node dist/scripts/chaos/main.js

chaos-comet: test-packages build ## Pages that listen to ids, and gateways, links and routers broken under them (CHAOS_SECONDS=120 CHAOS_SEED= PAGES=90 RATE=200 FAULTS=gateways,links,routers,pages,origins)
	@node dist/scripts/chaos/comet/main.js

deb: deb-packages build-gateway ## Debian packages of the gateway and the module, into dist/: docs/installing.md
	@scripts/package.sh

fresh: fresh-packages build-gateway ## These, and the container, tried in a fresh Debian 12 and 13 with systemd (10 minutes, as root)
	@scripts/package.sh
	@scripts/fresh.sh
	@scripts/container.sh

build: build-gateway ## The gateway and mod_megaphone, into dist/
	@$(MAKE) --no-print-directory -j $$(nproc) -O -C erl

test: test-packages lint check-erl ## Everything, with a real erl, ejabberd and browser (as root it installs what is missing)
	@NODE_ENV=test node --import ./dist/test/support/watchdog.js --test --test-timeout=900000 --test-concurrency=$(AT_ONCE) $$(find dist/test dist/scripts -name '*.test.js' | sort)

# Test files at a time: they wait more than they work, each beside servers of its own.
AT_ONCE := $(shell n=$$(nproc); echo $$((n > 2 ? n : 3)))

matrix: test-packages build ## What meets Erlang, ejabberd or Node.js, on other releases of them (long, as root)
	@scripts/matrix.sh
	@scripts/nodes.sh

nodes: test-packages build ## Of these, Node.js 20 to 26: the unit tests and a conversation (as root)
	@scripts/nodes.sh

lint: test-packages node_modules/.package-lock.json ## Formatting, types, layers and circles of imports, shell scripts
	@npm run --silent lint
	@npm run --silent build
	@node dist/scripts/layers.js
	@shellcheck -x scripts/*.sh .ci/run

unit: build-gateway ## The gateway's unit tests alone: twenty seconds, no ejabberd (IN=test/unit/http for some)
	@NODE_ENV=test node --enable-source-maps --test \
		--test-reporter=./dist/test/support/reporter.js --disable-warning=ExperimentalWarning --test-timeout=120000 --test-concurrency=10 \
		$$(find $(IN) -name '*.test.ts' | sed 's,.*,dist/&,;s,ts$$,js,' | sort)

IN = test/unit

check-erl: test-packages ## mod_megaphone alone: EUnit, PropEr, dialyzer
	@$(MAKE) --no-print-directory -j $$(nproc) -O -C erl test dialyzer

conformance: packages build ## docs/conformance.md anew: Megaphone beside ejabberd's own BOSH and WebSocket, case by case (4 minutes)
	@node dist/test/ejabberd/conformance/compare.js >dist/conformance.md
	@cp dist/conformance.md docs/

screenshots: test-packages build ## docs/demo-*.png and docs/dashboard-*.png anew: what a browser shows of them (4 minutes)
	@SCREENSHOTS=docs node --test dist/test/ejabberd/demo.test.js dist/test/ejabberd/dashboard.test.js

bench: bench-packages build ## docs/benchmarks.md anew: ejabberd, Megaphone, Prosody over BOSH and WebSocket (30 minutes; ONLY=messages)
	@node dist/scripts/bench/main.js

bench-million: bench-connections bench-sessions ## The next two (40 minutes)

bench-connections: packages build ## 200,000 web clients with real WebSockets (10 minutes; CONNECTIONS=200000 TRANSPORT=bosh)
	@node dist/scripts/bench/connections/main.js

bench-sessions: packages build ## 1,000,000 sessions through one gateway, without sockets (30 minutes; SESSIONS=1000000 TRANSPORT=bosh)
	@node dist/scripts/bench/sessions/main.js

bench-memory: packages build ## Memory of an idle WebSocket user, beside ejabberd's own (30 minutes; USERS=10000 TRANSPORT=bosh)
	@node dist/scripts/bench/memory/main.js

bench-http: test-packages build ## What a connection costs the gateway, beside node:http (5 minutes; CONNECTIONS=15000)
	@node dist/scripts/bench/http/main.js

bench-tls: test-packages build ## Memory of a connection over TLS: gateway, HAProxy, nginx, Caddy (3 minutes; CONNECTIONS=3000)
	@node dist/scripts/bench/tls/main.js

bench-link: packages build ## The connection to Erlang alone, beside Erlang's own C library, or over TLS beside plain (half a minute; COUNT=100000 ROUNDS=15 TLS=1)
	@erlc -o $(LINK_BENCH) scripts/bench/link/link_peer.erl
	@gcc -O2 -Wall -Wextra -D_REENTRANT -I$(EI)/include scripts/bench/link/ei_subject.c -L$(EI)/lib -lei -lpthread -o $(LINK_BENCH)/ei_subject
	@node $(LINK_BENCH)/main.js

bench-friends: ## megaphone_comet alone: 1,000,000 ids with 15 subscriptions each (5 minutes; IDS=1000000 CONNECTED=100 RATE=16666 SECONDS=20)
	@$(MAKE) --no-print-directory -C erl comet-tests
	@erlc -Werror -o $(COMET)/test scripts/bench/friends/friends_bench.erl
	@erl -noshell -pa $(COMET)/ebin $(COMET)/test -run friends_bench main

bench-comet: bench-packages build ## What pages cost, beside Pushpin and nchan (20 minutes; QUICK=1 ONLY=memory,fanout,broadcast,publish,held,socketless,killed)
	@$(MAKE) --no-print-directory -C erl comet
	@node dist/scripts/bench/comet/main.js

COMET = dist/erl/megaphone_comet

LINK_BENCH = dist/scripts/bench/link
EI = $(firstword $(wildcard /usr/lib/erlang/lib/erl_interface-*))

clean: ## Removes what was built (not var/, where the instance lives)
	rm -rf dist

.PHONY: bench bench-comet bench-friends bench-million bench-connections bench-sessions bench-memory bench-http bench-tls bench-link packages test-packages bench-packages
packages:
	@scripts/packages.sh run
test-packages:
	@scripts/packages.sh test
bench-packages:
	@scripts/packages.sh bench
.PHONY: deb-packages fresh-packages
deb-packages:
	@scripts/packages.sh deb
fresh-packages:
	@scripts/packages.sh fresh

# npm writes this file last.
node_modules/.package-lock.json: package-lock.json | check-node
	@echo 'Installing the npm packages ...'
	@npm ci --no-progress --no-audit --no-fund
	@touch $@

.PHONY: build-gateway check-node
build-gateway: node_modules/.package-lock.json check-node
	@npm run --silent build
check-node:
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || { echo 'Node.js 20 or newer is needed: https://nodejs.org/en/download'; exit 1; }
