# SPDX-License-Identifier: Apache-2.0
# ./dev golden models|tokenizer|attention [DIR]: compare with the reference implementations.
case ${1:-} in
models | tokenizer | attention) ;;
*) die "usage: ./dev golden models|tokenizer|attention [DIR]" ;;
esac
install_packages $need_check
use_build release
run_golden "$@"
