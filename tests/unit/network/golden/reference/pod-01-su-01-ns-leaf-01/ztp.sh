#!/bin/sh
# Made by gigasite from templates/switches/sonic/ztp.sh.j2 for Ethernet switch, 51.2 Tbit/s as 128 x 400G; made again by `gigasite render reference`.
set -eu
curl --fail --silent --show-error --output /tmp/config_db.json http://10.0.0.2/pod-01-su-01-ns-leaf-01/config_db.json
curl --fail --silent --show-error --output /tmp/frr.conf http://10.0.0.2/pod-01-su-01-ns-leaf-01/frr.conf
mv /tmp/frr.conf /etc/sonic/frr/frr.conf
mv /tmp/config_db.json /etc/sonic/config_db.json
config reload -y
