"""Import the standard library while the guest is built.

There is no file system at run time: only what is imported here can be imported by a submission. Modules that could
never work (no threads, no processes, no network) are here too where programs import them without using them.
"""

import __future__, abc, argparse, array, ast, asyncio, base64, binascii, bisect, builtins, calendar, cmath, cmd, code
import codecs, collections, collections.abc, colorsys, concurrent.futures, configparser, contextlib, contextvars, copy
import copyreg, csv, dataclasses, datetime, decimal, difflib, dis, doctest, email.message, enum, errno, faulthandler
import filecmp, fileinput, fnmatch, fractions, functools, gc, getopt, getpass, gettext, glob, graphlib, hashlib, heapq
import hmac, html, html.parser, http.client, importlib, importlib.util, inspect, io, ipaddress, itertools, json
import json.tool, keyword, linecache, locale, logging, marshal, math, mimetypes, multiprocessing, numbers, opcode
import operator, optparse, os, os.path, pathlib, pdb, pickle, platform, pprint, queue, quopri, random, re, reprlib
import rlcompleter, sched, secrets, select, selectors, shelve, shlex, shutil, signal, site, socket, sqlite3, stat
import statistics, string, stringprep, struct, subprocess, symtable, sys, sysconfig, tempfile, textwrap, threading
import time, timeit, token, tokenize, tomllib, trace, traceback, tracemalloc, types, typing, unicodedata, unittest
import unittest.mock, urllib.parse, urllib.request, uuid, warnings, wave, weakref, xml.etree.ElementTree, zipfile, zlib
import zoneinfo
import encodings.ascii, encodings.cp1252, encodings.idna, encodings.latin_1, encodings.utf_16, encodings.utf_8_sig
