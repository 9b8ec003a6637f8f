# The Debian package: `cpack -G DEB` in the build directory, best of the preset release.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME migd)
set(CPACK_PACKAGE_CONTACT "the authors of migd <migd@localhost>")
set(CPACK_DEBIAN_PACKAGE_MAINTAINER ${CPACK_PACKAGE_CONTACT})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "schema migrations of PostgreSQL as a gRPC service")
set(CPACK_PACKAGE_DESCRIPTION
"migd owns the schema migrations of PostgreSQL databases: it reads SQL files in
the order of Alembic's revisions, plans, lints, rehearses and runs them, and
takes up again what was cut off.

migctl is its client.")
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# For backups, baselines and scratch copies: pg_dump and pg_restore.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "postgresql-client-15 | postgresql-client")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "postgresql, bash-completion")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
foreach(script postinst prerm postrm conffiles)
  list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_LIST_DIR}/${script})
endforeach()
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(docs ${CMAKE_INSTALL_DATADIR}/doc/migd)
# SOURCE_DATE_EPOCH, if it is set, is the date.
string(TIMESTAMP CHANGELOG_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file(${CMAKE_CURRENT_LIST_DIR}/changelog.in ${PROJECT_BINARY_DIR}/debian/changelog @ONLY)

# Pages and changes are compressed in a package.
function(install_compressed file name destination)
  set(compressed ${PROJECT_BINARY_DIR}/debian/${name}.gz)
  add_custom_command(OUTPUT ${compressed}
    COMMAND gzip --best --no-name --stdout ${file} > ${compressed}
    DEPENDS ${file})
  string(MAKE_C_IDENTIFIER compressed_${name} target)
  add_custom_target(${target} ALL DEPENDS ${compressed})
  if(ARGN)
    add_dependencies(${target} ${ARGN})
  endif()
  install(FILES ${compressed} DESTINATION ${destination})
endfunction()

install_compressed(${PROJECT_BINARY_DIR}/docker/man/migctl.1 migctl.1 ${CMAKE_INSTALL_MANDIR}/man1 man)
install_compressed(${PROJECT_BINARY_DIR}/docker/man/migd.8 migd.8 ${CMAKE_INSTALL_MANDIR}/man8 man)
install_compressed(${PROJECT_BINARY_DIR}/debian/changelog changelog ${docs})
install_compressed(${PROJECT_SOURCE_DIR}/CHANGELOG.md NEWS.md ${docs})
install(FILES ${CMAKE_CURRENT_LIST_DIR}/copyright DESTINATION ${docs})
install(DIRECTORY migrations DESTINATION ${docs}/examples FILES_MATCHING PATTERN *.sql)
install(FILES docker/systemd/migd.service DESTINATION lib/systemd/system)
install(FILES client/completion/migctl.bash RENAME migctl
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES client/completion/migctl.zsh RENAME _migctl
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES client/completion/migctl.fish
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
# Elsewhere than in /usr: the configuration belongs to the machine.
install(FILES ${CMAKE_CURRENT_LIST_DIR}/migd.yaml DESTINATION /etc/migd)
install(DIRECTORY DESTINATION /etc/migd/migrations)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/default RENAME migd DESTINATION /etc/default)

include(CPack)
