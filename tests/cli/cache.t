What lies in the cache folder, and what may go.

## cache of nothing
$ memolith cache list
> 0 B in all
$ memolith cache clear
! error[USAGE]: cache clear needs --models, --sources, --index or --all
!   fix: memolith cache clear --all --dry-run   shows what would go
? 2

## cache list and clear
$ mkdir -p c/models c/sources/tiny; cp model.safetensors c/models/t.safetensors; printf x > c/models/broken.safetensors; printf config > c/sources/tiny/config.json; printf left > c/models/.t.safetensors.1-2.tmp; touch -d '2 hours ago' c/models/.t.safetensors.1-2.tmp; memolith add tea -o quiet; printf x > home/.local/share/memolith/default.memo-idx
$ memolith cache list --cache-dir c -o json | $PYTHON -c 'import json, sys; a = json.load(sys.stdin); [print(i["kind"], i["path"].split("/")[-1], i.get("class"), i.get("used_by_store"), i.get("has_source"), bool(i.get("unusable"))) for i in a["items"]]'
> model broken.safetensors None False False True
> model t.safetensors f32 True True False
> source tiny None None None False
> index default.memo-idx None None None False
> leftover .t.safetensors.1-2.tmp None None None False
$ memolith cache clear --all --dry-run --cache-dir c -o json | $PYTHON -c 'import json, sys; a = json.load(sys.stdin); [print(i["kind"], i["path"].split("/")[-1], i["outcome"]) for i in a["items"]]'; find c -type f | sort
> model broken.safetensors would be removed
> model t.safetensors kept: its source would go, too; --force
> source tiny would be removed
> index default.memo-idx would be removed
> leftover .t.safetensors.1-2.tmp would be removed
> c/models/.t.safetensors.1-2.tmp
> c/models/broken.safetensors
> c/models/t.safetensors
> c/sources/tiny/config.json
$ memolith cache clear --all --cache-dir c -o ndjson | $PYTHON -c 'import json, sys; [print(i["kind"], i["outcome"]) for i in map(json.loads, sys.stdin)]'; find c -type f | sort
> model removed
> model kept: its source would go, too; --force
> source removed
> index removed
> leftover removed
> c/models/t.safetensors
$ memolith cache clear --models --cache-dir c -o quiet; find c -type f; memolith cache clear --models --force --cache-dir c -o quiet; find c -type f
> c/models/t.safetensors

## a model whose source is there goes
$ mkdir -p c/models c/sources/tiny; cp model.safetensors c/models/t.safetensors; memolith cache clear --models --cache-dir c -o quiet; find c -type f
