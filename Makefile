# 一卡通 Yikatong. `make` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
export PG CI

.PHONY: help setup demo demo-reset test story lint types bench article lock

help: ## 列出全部命令 list the targets
	@echo "一卡通：先执行 make demo 看演示，make test 跑全部测试。"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

setup: ## 安装全部依赖（按散列锁定） install everything, pinned by hash
	@bash scripts/setup

demo: setup ## 启动演示：数据库、沙箱、网页和后台任务 start the demo
	@$(BIN)/yikatong demo

demo-reset: setup ## 删除演示数据，下次从头开始 delete the demo's data
	@$(BIN)/yikatong demo --reset

test: setup ## 全部检查和测试；PG=15 用 PostgreSQL 15；ARGS="-k …" all checks and tests
	@bash scripts/browser
ifeq ($(PG),15)
	@bash scripts/postgresql 15
else
	@$(MAKE) --no-print-directory lint types
endif
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

story: setup ## 全链条走一遍，逐步打印数字 the whole chain, step by step
	@$(BIN)/yikatong story

lint: setup ## 格式、规则、导入方向 format, rules, import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: setup ## 类型检查 type check
	$(BIN)/mypy

bench: setup ## 基准：NAME=… ROWS=… 每项一行 JSON measures, one JSON line each
	@$(BIN)/python -m benchmarks $(if $(NAME),--name $(NAME)) $(if $(ROWS),--rows $(ROWS))

article: setup ## 某条规定由哪些代码实现：N=18 which code implements an article
	@$(BIN)/python scripts/article.py $(N)

lock: setup ## 依据 pyproject.toml 重做 requirements.lock regenerate the lock
	$(BIN)/pip-compile -q --extra dev --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --strip-extras --allow-unsafe -o requirements.lock pyproject.toml
