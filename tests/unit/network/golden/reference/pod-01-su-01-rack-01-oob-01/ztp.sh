#!/bin/sh
# Made by gigasite from templates/switches/nvue/ztp.sh.j2 for Management switch, 48 x 1G; made again by `gigasite render reference`.
# CUMULUS-AUTOPROVISIONING
set -eu
curl --fail --silent --show-error --output /tmp/startup.yaml http://10.0.0.2/pod-01-su-01-rack-01-oob-01/startup.yaml
nv config replace /tmp/startup.yaml
nv config apply --assume-yes
nv config save
