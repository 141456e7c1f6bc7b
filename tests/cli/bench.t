Searches of a store, measured. Times are not compared.

## bench --latency
$ for w in tea coffee milk; do memolith add "$w is a drink" --key $w --title "all about $w" -o quiet; done; memolith bench --latency | awk '{print $1, NF}'
> 3 15
> stage 5
> embed 5
> filter 5
> dense 5
> lexical 5
> exact 5
> fuse 5
> fetch 5
> search 5
> context 5
$ memolith bench --latency -o json | $PYTHON -c 'import json, sys; b = json.load(sys.stdin); print(b["queries"], b["own_queries"], list(b["stages"]), all(s["p50_ms"] <= s["p95_ms"] <= s["p99_ms"] for s in b["stages"].values()), b["stages"]["embed"]["p50_ms"] > 0)'
> 3 True ['embed', 'filter', 'dense', 'lexical', 'exact', 'fuse', 'fetch', 'search', 'context'] True True

## bench --retrieval with labels
$ for w in tea coffee milk; do memolith add "$w is a drink" --key $w -o quiet; done; printf '{"_id": "1", "text": "tea"}\n{"_id": "2", "text": "coffee"}\n{"_id": "3", "text": "nobody asks"}\n' > q.ndjson; printf 'query-id\tcorpus-id\tscore\n1\ttea\t1\n2\tcoffee\t1\n2\tmilk\t1\n' > labels.tsv
$ memolith bench --retrieval --queries q.ndjson --qrels labels.tsv -o json | $PYTHON -c 'import json, sys; b = json.load(sys.stdin); print(b["queries"], b["note"], b["bm25"])'
> 2 None {'recall_at_10': 0.75, 'mrr_at_10': 1, 'ndcg_at_10': 0.806573596, 'hybrid_better_from': 0, 'hybrid_better_to': 0.386852807}
$ printf '1\ttea\n1\ttea\tmuch\n' > bad.tsv; memolith bench --retrieval --queries q.ndjson --qrels bad.tsv
! error[FORMAT]: bad.tsv: line 2: not QUERY <tab> RECORD <tab> GAIN
? 1
$ printf '9\ttea\t1\n' > none.tsv; memolith bench --retrieval --queries q.ndjson --qrels none.tsv
! error[VALUE]: no label belongs to a query
? 1

## bench --retrieval of what the store asks itself
$ for w in tea coffee milk; do memolith add "$w is a drink" --title "all about $w" -o quiet; done; memolith bench --retrieval | head -1
> 3 queries made of the records that they look for, whose words they share: that favours words
$ memolith bench --retrieval -o json | $PYTHON -c 'import json, sys; b = json.load(sys.stdin); print(b["queries"], b["bm25"]["recall_at_10"], b["bm25"]["mrr_at_10"])'
> 3 1 1

## bench asks for what it needs
$ memolith bench
! error[USAGE]: bench needs --latency or --retrieval, one of them
!   fix: memolith bench --latency   or, of a model alone: memolith model bench
? 2
$ memolith bench --retrieval --queries q
! error[USAGE]: --retrieval --queries needs --qrels: which records answer them
? 2
$ memolith bench --latency -f none.memo
! error[NOTFOUND]: there is no store at none.memo yet
!   fix: memolith add 'something to remember'   or   memolith import FOLDER   or   -f FILE for another store
? 3
